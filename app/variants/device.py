"""Where a role's net runs: the choice behind the settings `portrait.device` and `lips.device`.

Also how much of a GPU's memory it may take, and what happens when that is not enough.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

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


def hold_to(share: float) -> None:
    """Let this process take no more than a share of its GPU's memory, by torch's allocator.

    Several processes may have the same GPU; one that takes all would fail the others.

    Args:
        share: in (0, 1); any other number sets no limit.
    """
    if 0 < share < 1 and torch.cuda.is_available():
        torch.cuda.set_per_process_memory_fraction(share)


@contextmanager
def memory_errors() -> Iterator[None]:
    """Turn a full GPU into a refusal, and give back what torch holds and does not use.

    Raises:
        NotReady: the memory, or this process's share of it, did not suffice.
    """
    try:
        yield
    except torch.OutOfMemoryError:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        raise NotReady(
            "The GPU has no memory left for this request.", "Try again in a few seconds."
        ) from None


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
