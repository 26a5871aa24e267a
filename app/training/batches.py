"""Pieces of clips at random, with what their mouths do and what is said.

B clips of a batch, S steps, C controls (8).
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.media.mel import SILENCE as QUIET
from app.media.mel import STEPS_HZ
from app.models.viseme.controls import STEPS, STEPS_BEFORE
from app.models.viseme.phonemes import SILENCE
from app.quality.alignment import PHONES
from app.training.clips import Clip
from app.training.schedule import Schedule

Labels = NDArray[np.int64]

_AFTER: Final = STEPS - 1 - STEPS_BEFORE


class Batches:
    """Draws batches.

    Args:
        clips: to draw from.
        schedule: says how many, and how long.
        draw: the source of chance.
        before: steps that are heard before those that count.
        after: steps that are heard after them.
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        schedule: Schedule,
        draw: np.random.Generator,
        before: int = STEPS_BEFORE,
        after: int = _AFTER,
    ) -> None:
        self._clips, self._schedule, self._draw = clips, schedule, draw
        self._before, self._after = before, after
        self._labels = [labels_of(clip) for clip in clips]

    def next(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return mel (B, 80, before + S + after), controls (B, 8, S) and sounds (B, S) int64."""
        picked = [self._piece(index) for index in self._indices()]
        mels, controls, labels = (np.stack(parts) for parts in zip(*picked, strict=True))
        return torch.from_numpy(mels), torch.from_numpy(controls), torch.from_numpy(labels)

    def _indices(self) -> NDArray[np.intp]:
        return self._draw.integers(0, len(self._clips), self._schedule.batch)

    def _piece(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32], Labels]:
        clip, length = self._clips[index], self._schedule.length
        start = int(self._draw.integers(0, max(1, len(clip.controls) - length)))
        steps = np.arange(start - self._before, start + length + self._after)
        last = clip.mel.shape[1] - 1
        mel = clip.mel[:, steps.clip(0, last)]
        mel[:, (steps < 0) | (steps > last)] = QUIET
        counted = np.arange(start, start + length).clip(0, last)
        label = self._labels[index][counted]
        controls = clip.controls[counted].T
        return mel, np.ascontiguousarray(controls), label


def labels_of(clip: Clip) -> Labels:
    """Return (S,) which of `PHONES` each step of a clip is."""
    labels = np.full(clip.mel.shape[1], PHONES.index(SILENCE), np.int64)
    for segment in clip.segments:
        first, last = (round(at * STEPS_HZ) for at in (segment.start_s, segment.end_s))
        labels[first:last] = PHONES.index(segment.phone)
    return labels
