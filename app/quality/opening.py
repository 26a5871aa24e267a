"""How well a mouth's opening follows what is said.

T frames, N spans of time in seconds.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.quality.passage import FPS

Floats = NDArray[np.float32]

CLOSED = 0.02
"""A mouth whose gap is less, in eye distances, is closed."""

MAX_LAG = 6
"""Frames that an opening is shifted at most in search of the best lag."""

PAUSE_S, SETTLING_S = 0.3, 0.15
HALF_FRAME_S = float(1 / FPS / 2)


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike two openings are.

    Attributes:
        correlation: as they stand, in [-1, 1].
        lag_s: by how much the judged one comes late where they are most alike, s.
    """

    correlation: float
    lag_s: float


def likeness(gap: Floats, reference: Floats) -> Likeness:
    """Return how alike a gap and a reference opening, (T,) both, are."""
    frames = min(len(gap), len(reference))
    gap, reference = gap[:frames], reference[:frames]
    shifts = range(-MAX_LAG, MAX_LAG + 1)
    by_shift = np.array([_shifted(gap, reference, shift) for shift in shifts])
    best = int(by_shift.argmax())
    lag = shifts[best] + (_vertex(*by_shift[best - 1 : best + 2]) if 0 < best < 12 else 0.0)
    return Likeness(float(by_shift[MAX_LAG]), lag / float(FPS))


def closed_share(gap: Floats, closures: Floats) -> float:
    """Return the share of closures (N, 2) s in which at least one frame shows closed lips.

    Frames count that are shown, half a frame to and fro, while the closure lasts; NaN if N is 0.
    """
    hits = [bool((gap[_within(gap, *span)] < CLOSED).any()) for span in closures]
    return float(np.mean(hits)) if hits else float("nan")


def shut_in_pauses(gap: Floats, pauses: Floats) -> float:
    """Return the share of frames with closed lips in long pauses, from 150 ms after their start.

    Args:
        gap: (T,) eye distances.
        pauses: (N, 2) s; shorter ones than 300 ms are left out.

    Returns:
        In [0, 1]; NaN if there is no long pause.
    """
    times = np.arange(len(gap)) / float(FPS)
    within = np.zeros(len(gap), np.bool_)
    for start, end in pauses:
        if end - start >= PAUSE_S:
            within |= (times >= start + SETTLING_S) & (times < end)
    return float((gap[within] < CLOSED).mean()) if within.any() else float("nan")


def vowel_order(gap: Floats, open_vowels: Floats, close_vowels: Floats) -> float:
    """Return how much wider mouths are halfway through open vowels than close ones, eye distances.

    Args:
        gap: (T,) eye distances.
        open_vowels: (N, 2) s.
        close_vowels: (N, 2) s.
    """
    return _at_middles(gap, open_vowels) - _at_middles(gap, close_vowels)


def _at_middles(gap: Floats, spans: Floats) -> float:
    """Return the mean gap halfway through spans; at their ends it is the neighbours', too."""
    widths = np.interp(spans.mean(axis=1) * float(FPS), np.arange(len(gap)), gap)
    return float(widths.mean()) if len(spans) else float("nan")


def _within(gap: Floats, start: float, end: float) -> NDArray[np.bool_]:
    times = np.arange(len(gap)) / float(FPS)
    within: NDArray[np.bool_] = (times > start - HALF_FRAME_S) & (times < end + HALF_FRAME_S)
    return within


def _shifted(gap: Floats, reference: Floats, shift: int) -> float:
    """Return the correlation of the reference with the gap `shift` frames later."""
    late, early = (gap[shift:], reference) if shift >= 0 else (gap, reference[-shift:])
    frames = min(len(late), len(early))
    late, early = late[:frames], early[:frames]
    if frames < 2 or min(np.ptp(late), np.ptp(early)) < 1e-6:
        return 0.0
    return float(np.corrcoef(late, early)[0, 1])


def _vertex(before: float, peak: float, after: float) -> float:
    """Return where the parabola through three neighbours has its top, from the middle one."""
    curve = before - 2 * peak + after
    return float((before - after) / (2 * curve)) if curve else 0.0
