"""Where a role's net runs: the choice behind the settings `portrait.device` and `lips.device`."""

import os

import torch

from app.errors import NotReady
from app.variants.config import Device


def choose_device(asked: Device, setting: str) -> str:
    """Return the torch device that was asked for: "cpu" or "cuda".

    Args:
        asked: "auto" takes CUDA where this process sees a GPU, and the CPU elsewhere.
        setting: the name of the setting, for the error.

    Raises:
        NotReady: "cuda" was asked for, and this process sees no GPU.
    """
    if asked == "cpu":
        return "cpu"
    if torch.cuda.is_available():
        return "cuda"
    if asked == "auto":
        return "cpu"
    raise NotReady(
        f"The setting {setting} is cuda, but this process sees no GPU: {blindness()}.",
        "Serve with what `python -m app.serving config --gpus N` prints, or set it to auto.",
    )


def gpu_uuid() -> str:
    """Return the UUID of the GPU that this process computes on, as NVIDIA's tools write it."""
    properties = torch.cuda.get_device_properties(torch.cuda.current_device())
    return f"GPU-{properties.uuid}"


def blindness() -> str:
    """Return the reasons why this process sees no GPU, half a sentence."""
    reasons = []
    if os.environ.get("CUDA_VISIBLE_DEVICES") == "":
        reasons.append("CUDA_VISIBLE_DEVICES is empty, which hides them")
    if torch.version.cuda is None and torch.version.hip is None:
        reasons.append("torch is installed without CUDA")
    return ", and ".join(reasons) or "torch finds none, which `nvidia-smi` may explain"
