import os
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from app.errors import WeightsError
from app.weights.convert import convert
from app.weights.manifest import MANIFEST
from app.weights.seeded import seeded
from app.weights.weight_file import WeightFile
from tests.unit.weights.published import saved, state, stitching_content, stitching_file


class Hostile:
    """Makes a file when it is unpickled."""

    def __init__(self, made: Path) -> None:
        self.made = made

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.made}",)


def published(stem: str) -> WeightFile:
    return next(file for file in MANIFEST if file.stem == stem)


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "bare pickle"])
def test_three_nets_are_read_and_other_entries_left_out(tmp_path: Path, legacy: bool) -> None:
    path = saved(tmp_path / "a.pth", stitching_content(), legacy)
    converted = convert(path, stitching_file())
    assert [checkpoint.name for checkpoint in converted] == [
        "retarget_shoulder",
        "retarget_mouth",
        "retarget_eye",
    ]
    for checkpoint, tensors in converted.items():
        expected = seeded(checkpoint.network)
        assert list(tensors) == list(expected)
        for key, array in tensors.items():
            np.testing.assert_array_equal(array, expected[key])


def test_a_state_beside_an_optimiser_s_is_read_without_its_prefix(tmp_path: Path) -> None:
    net = state("lipsync_expert", "module.")
    moments = {"exp_avg": torch.zeros(3), "step": 5}
    content = {
        "state_dict": net,
        "optimizer": {"state": {0: moments}, "param_groups": [{"lr": 1e-4, "params": [0]}]},
        "global_step": 149_000,
    }
    path = saved(tmp_path / "a.pth", content)
    (tensors,) = convert(path, published("lipsync_expert")).values()
    expected = seeded("lipsync_expert")
    assert list(tensors) == list(expected)
    assert all(np.array_equal(tensors[key], expected[key]) for key in expected)


def test_a_bare_state_half_as_precise_is_taken(tmp_path: Path) -> None:
    net = {
        key: torch.nn.Parameter(tensor.half())
        for key, tensor in state("appearance_feature_extractor").items()
        if tensor.is_floating_point()
    }
    counters = {
        key: tensor
        for key, tensor in state("appearance_feature_extractor").items()
        if not tensor.is_floating_point()
    }
    path = saved(tmp_path / "a.pth", {**net, **counters})
    (tensors,) = convert(path, published("appearance_feature_extractor")).values()
    expected = seeded("appearance_feature_extractor")
    for key, array in tensors.items():
        assert array.dtype == expected[key].dtype
        np.testing.assert_allclose(array, expected[key], rtol=1e-3, atol=1e-6)


def test_every_difference_is_told(tmp_path: Path) -> None:
    content = stitching_content()
    mouth = content["retarget_mouth"]
    mouth["other"] = mouth.pop("mlp.0.bias")
    mouth["mlp.0.weight"] = mouth["mlp.0.weight"][:, :64]
    path = saved(tmp_path / "a.pth", content)
    with pytest.raises(WeightsError) as caught:
        convert(path, stitching_file())
    for told in (
        "missing: mlp.0.bias",
        "unexpected: other",
        "mlp.0.weight is float32[128, 64], not float32[128, 65]",
    ):
        assert told in caught.value.detail


def test_another_network_is_refused_in_few_words(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.pth", stitching_content()["retarget_mouth"])
    with pytest.raises(WeightsError, match="no checkpoint of wav2lip") as caught:
        convert(path, published("wav2lip"))
    assert "and 344 more" in caught.value.detail


def test_a_key_with_and_without_its_prefix_is_refused(tmp_path: Path) -> None:
    content = stitching_content()
    content["retarget_mouth"]["module.mlp.0.bias"] = torch.zeros(128)
    path = saved(tmp_path / "a.pth", content)
    with pytest.raises(WeightsError, match="twice"):
        convert(path, stitching_file())


def hostile_pickle(path: Path, content: object) -> None:
    path.write_bytes(pickle.dumps(content, protocol=2))


def hostile_legacy(path: Path, content: object) -> None:
    saved(path, content, legacy=True)


def hostile_zip(path: Path, content: object) -> None:
    saved(path, content)


def hostile_tar(path: Path, content: object) -> None:
    inner = path.with_suffix(".pickle")
    inner.write_bytes(pickle.dumps(content, protocol=2))
    with tarfile.open(path, "w") as archive:
        for name in ("pickle", "storages", "tensors", "sys_info"):
            archive.add(inner, name)


@pytest.mark.parametrize("write", [hostile_pickle, hostile_legacy, hostile_zip, hostile_tar])
def test_code_in_a_file_is_refused_and_never_run(
    tmp_path: Path, write: Callable[[Path, object], None]
) -> None:
    made = tmp_path / "made"
    path = tmp_path / "a.pth"
    write(path, {"hook": Hostile(made)})
    with pytest.raises(WeightsError) as caught:
        convert(path, stitching_file())
    assert not made.exists()
    if write is not hostile_tar:
        assert "posix.system" in caught.value.detail
        assert "nothing of it was run" in caught.value.detail


def test_a_pickled_net_is_refused_by_name(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.pth", torch.nn.Linear(1, 1))
    with pytest.raises(WeightsError, match=r"torch\.nn\.modules\.linear\.Linear"):
        convert(path, stitching_file())


def test_sparse_and_meta_tensors_do_not_pass_for_weights(tmp_path: Path) -> None:
    content = stitching_content()
    content["retarget_mouth"]["mlp.0.bias"] = torch.ones(128).to_sparse()
    content["retarget_mouth"]["mlp.2.bias"] = torch.empty(128, device="meta")
    path = saved(tmp_path / "a.pth", content)
    with pytest.raises(WeightsError, match=r"missing: mlp\.0\.bias, mlp\.2\.bias"):
        convert(path, stitching_file())


@pytest.mark.parametrize("content", [b"", b"<html>", b"PK\x03\x04", b"\x80\x02}q\x00."])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsError):
        convert(path, stitching_file())


def test_a_cut_file_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.pth", stitching_content())
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(WeightsError, match="not a checkpoint"):
        convert(path, stitching_file())


def test_any_other_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", "b")
    with pytest.raises(WeightsError, match="not a checkpoint"):
        convert(path, stitching_file())


def test_an_absent_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be read"):
        convert(tmp_path / "none.pth", stitching_file())
