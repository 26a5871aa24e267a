"""Buckets: the few batch sizes that a net is run at, so that its shapes are known beforehand."""

from collections.abc import Sequence

import torch

BUCKETS = (1, 4, 8, 16, 32)
"""Frames of a run, where engines ask for fixed shapes: 32 are four calls of eight frames."""


def bucket_of(frames: int, buckets: Sequence[int] = BUCKETS) -> int:
    """Return the smallest bucket that holds so many frames.

    Raises:
        ValueError: no bucket does, or there is nothing to hold.
    """
    fitting = [bucket for bucket in buckets if bucket >= frames]
    if frames < 1 or not fitting:
        raise ValueError(f"no bucket of {tuple(buckets)} for {frames} frames")
    return min(fitting)


def bucket_up_to(largest: int, frames: int) -> int:
    """Return the bucket of frames that are cut into parts of `largest` at most: of such a part."""
    return bucket_of(min(frames, largest, max(BUCKETS)))


def cut(frames: int, largest: int) -> list[slice]:
    """Return consecutive slices over so many frames, each as long as the largest or the rest."""
    return [slice(start, min(start + largest, frames)) for start in range(0, frames, largest)]


def padded(batch: torch.Tensor, frames: int) -> torch.Tensor:
    """Return a batch (B, ...) brought to so many frames by repeating its last one.

    The last frame and not zeros: its values are ones that the net is used to. A full batch comes
    back as it is.
    """
    missing = frames - len(batch)
    if not missing:
        return batch
    return torch.cat([batch, batch[-1:].expand(missing, *batch.shape[1:])])
