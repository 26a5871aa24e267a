import pytest
import torch

from app.errors import NotReady
from app.variants.config import Device
from app.variants.device import blindness, choose_device


@pytest.mark.parametrize(
    ("asked", "has_gpu", "device"),
    [
        ("auto", True, "cuda"),
        ("auto", False, "cpu"),
        ("cpu", True, "cpu"),
        ("cpu", False, "cpu"),
        ("cuda", True, "cuda"),
    ],
)
def test_the_choice(
    asked: Device, has_gpu: bool, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_gpu)
    assert choose_device(asked, "lips.device") == device


def test_cuda_without_a_gpu_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(NotReady) as refusal:
        choose_device("cuda", "lips.device")
    assert "lips.device is cuda" in refusal.value.detail
    assert "python -m app.serving config --gpus N" in refusal.value.hint
    assert "auto" in refusal.value.hint


def test_why_no_gpu_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(torch.version, "hip", None)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "CUDA_VISIBLE_DEVICES is empty" in blindness()
    assert "without CUDA" in blindness()
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    assert "without CUDA" not in blindness()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert "nvidia-smi" in blindness()
