import pytest
import torch

from app.errors import NotReady
from app.variants.config import Device
from app.variants.device import blindness, choose_device, hold_to, memory_errors


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


@pytest.mark.parametrize(("share", "set_to"), [(0.45, [0.45]), (0.0, []), (1.0, []), (2.0, [])])
def test_a_share_of_a_gpu_is_a_limit(
    share: float, set_to: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[float] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", limits.append)
    hold_to(share)
    assert limits == set_to


def test_a_full_gpu_is_a_refusal_and_frees_what_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    freed: list[bool] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: freed.append(True))
    with pytest.raises(NotReady, match="no memory left"), memory_errors():
        raise torch.OutOfMemoryError("CUDA out of memory")
    assert freed
    with pytest.raises(ValueError, match="other"), memory_errors():
        raise ValueError("other")
