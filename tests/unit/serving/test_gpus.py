"""The warning of GPUs that nobody uses."""

import pytest

from app.serving import gpus
from app.variants.config import Device

NODES = [
    {"NodeID": "head", "Resources": {"CPU": 8.0}},
    {"NodeID": "worker", "Resources": {"CPU": 8.0, "GPU": 2.0}},
]


@pytest.mark.parametrize(("node", "count"), [("head", 0), ("worker", 2), ("gone", 0)])
def test_only_this_nodes_gpus_count(node: str, count: int) -> None:
    assert gpus.gpus_of(node, NODES) == count


def test_without_ray_there_are_none() -> None:
    assert gpus.gpus_here() == 0


@pytest.mark.parametrize(
    ("asked", "device", "present", "warned"),
    [
        ("auto", "cpu", 2, True),
        ("auto", "cpu", 0, False),
        ("auto", "cuda", 2, False),
        ("cpu", "cpu", 2, False),
        ("cuda", "cuda", 2, False),
    ],
)
def test_one_warning_names_the_command(
    asked: Device,
    device: str,
    present: int,
    warned: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines: list[str] = []
    monkeypatch.setattr(gpus, "gpus_here", lambda: present)
    monkeypatch.setattr(gpus.logger, "warning", lines.append)
    gpus.warn_of_idle_gpus("LipSync", asked, device)
    assert len(lines) == warned
    for line in lines:
        assert line.startswith("LipSync runs on the CPU")
        assert "`python -m app.serving config --gpus 2 > serve_gpu.yaml`" in line


def test_the_warning_says_whether_the_configuration_hides_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "hides" in gpus.idle_gpus_warning("LipSync", 1)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert "hides" not in gpus.idle_gpus_warning("LipSync", 1)
