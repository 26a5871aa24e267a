"""What a mouth should do under a recording whose sounds and times are known.

T video frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from app.models.viseme.coarticulation import Segment, mouth_track, opening
from app.models.viseme.phonemes import BILABIALS, JAW_GAP, PHONEMES, SILENCE, VOWELS

PAUSE_S, SETTLED_S = 0.3, 0.15
"""A pause is a silence at least so long; the mouth is to be closed from so long after its start."""

CLOSED = 0.02
"""Lips are closed if their gap is less than this share of the outer eye corners' distance."""


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """A mouth's reference, frame by frame.

    Attributes:
        gap: (T,) float32, the inner lips' gap in eye distances.
        closures: frames during each p, b and m; lips are to be closed in one of them at least.
        pauses: (T,) bool, frames in which lips are to be closed.
        spoken: (T,) bool, frames outside of pauses.
        vowels: each vowel's middle frame, and how open it is by the table, in [0, 1].
    """

    gap: NDArray[np.float32]
    closures: tuple[range, ...]
    pauses: NDArray[np.bool_]
    spoken: NDArray[np.bool_]
    vowels: tuple[tuple[int, float], ...]


def reference_of(segments: Sequence[Segment], num_frames: int, fps: Fraction) -> Reference:
    """Return the reference of a recording.

    Args:
        segments: its sounds, without gaps; of a synthesiser or of `alignment.align`.
        num_frames: T.
        fps: frame k is at k / fps seconds.
    """
    rate = float(fps)
    times = np.arange(num_frames) / rate
    pauses, spoken = np.zeros(num_frames, bool), np.ones(num_frames, bool)
    for start, end in silences(segments):
        if end - start >= PAUSE_S:
            pauses |= (times >= start + SETTLED_S) & (times < end)
            spoken &= (times < start) | (times >= end)
    closures = [
        _frames_of(each, num_frames, rate) for each in segments if each.phone in BILABIALS
    ]
    vowels = [
        (round((each.start_s + each.end_s) / 2 * rate), PHONEMES[each.phone].targets[0])
        for each in segments
        if each.phone in VOWELS
    ]
    return Reference(
        gap=opening(mouth_track(segments, times)) * np.float32(JAW_GAP),
        closures=tuple(frames for frames in closures if frames),
        pauses=pauses,
        spoken=spoken,
        vowels=tuple((frame, height) for frame, height in vowels if frame < num_frames),
    )


def silences(segments: Sequence[Segment]) -> list[tuple[float, float]]:
    """Return start and end of each silence in seconds, neighbouring ones as one."""
    found: list[tuple[float, float]] = []
    for each in segments:
        if each.phone != SILENCE:
            continue
        if found and each.start_s - found[-1][1] < 1e-3:
            found[-1] = (found[-1][0], each.end_s)
        else:
            found.append((each.start_s, each.end_s))
    return found


def _frames_of(segment: Segment, num_frames: int, rate: float) -> range:
    """Return the frames nearest to a sound's time, one at least."""
    first = round(segment.start_s * rate - 0.5)
    return range(max(0, first), min(num_frames, round(segment.end_s * rate + 0.5) + 1))
