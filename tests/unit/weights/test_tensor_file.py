from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from app.weights.digest import sha256_of_tensors
from app.weights.seeded import seeded
from app.weights.tensor_file import Damaged, Source, TensorFile

NETWORK = "stitching_retargeting_module/retarget_mouth"
SOURCE = Source("mouth.pth", "1" * 64)


@pytest.fixture
def stored(tmp_path: Path) -> TensorFile:
    file = TensorFile(tmp_path / "folder" / "mouth.safetensors", NETWORK)
    file.write(seeded(NETWORK), SOURCE)
    return file


def test_what_was_written_is_read_in_the_official_order(stored: TensorFile) -> None:
    written, read = seeded(NETWORK), stored.read()
    assert list(read) == list(written)
    for key, array in read.items():
        np.testing.assert_array_equal(array, written[key])
    assert stored.source() == SOURCE
    assert stored.problem() == ""
    assert [path.name for path in stored.path.parent.iterdir()] == ["mouth.safetensors"]


def test_one_flipped_bit_is_noticed(stored: TensorFile) -> None:
    content = bytearray(stored.path.read_bytes())
    content[-5] ^= 1
    stored.path.write_bytes(content)
    assert stored.problem() == "damaged"
    with pytest.raises(Damaged):
        stored.read()


@pytest.mark.parametrize("length", [0, 7, 100, -1])
def test_a_cut_file_is_damaged(stored: TensorFile, length: int) -> None:
    stored.path.write_bytes(stored.path.read_bytes()[:length])
    assert stored.problem() == "damaged"


def test_another_layout_is_told_apart_from_damage(stored: TensorFile) -> None:
    tensors = seeded(NETWORK)
    tensors["mlp.0.weight"] = tensors["mlp.0.weight"].astype(np.float16)
    tensors["extra"] = tensors.pop("mlp.0.bias")
    save_file(tensors, stored.path, {"tensors_sha256": sha256_of_tensors(tensors)})
    assert stored.problem() == "of another layout"
    assert stored.difference().lines() == [
        "missing: mlp.0.bias",
        "unexpected: extra",
        "different: mlp.0.weight is F16[128, 65], not float32[128, 65]",
    ]


def test_a_file_that_says_no_digest_is_not_trusted(stored: TensorFile) -> None:
    save_file(seeded(NETWORK), stored.path)
    assert stored.problem() == "damaged"


def test_absent_and_unreadable_are_told_apart(tmp_path: Path) -> None:
    assert TensorFile(tmp_path / "none.safetensors", NETWORK).problem() == "absent"
    assert TensorFile(tmp_path, NETWORK).problem() == "unreadable"
