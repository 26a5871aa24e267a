"""How well a mouth follows speech: gaps of the inner lips against a reference, in figures.

T video frames. Gaps come from controls, from frames or from a face mesh alike.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from app.quality.reference import CLOSED, Reference

MOST_LAG_S = 0.2
Gaps = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SpeechFigures:
    """The rows about speech; NaN where there is nothing to measure.

    Attributes:
        opening: correlation of the gap with the reference's, in [-1, 1].
        spoken: the same over what is no pause.
        lag_ms: by how much the mouth comes later than the reference where they agree best.
        vowels: correlation of vowels' gaps with how open the vowels are.
        closures: share of p, b, m with closed lips in at least one frame.
        pauses: share of the pauses' frames with closed lips.
    """

    opening: float
    spoken: float
    lag_ms: float
    vowels: float
    closures: float
    pauses: float


def figures_of(pairs: Iterable[tuple[Gaps, Reference]], fps: Fraction) -> SpeechFigures:
    """Return the figures of recordings taken together.

    Args:
        pairs: of each recording (T,) gaps in eye distances, and its reference of T frames.
        fps: frames per second.
    """
    each = list(pairs)
    got, wanted = (np.concatenate(parts) for parts in zip(*((g, r.gap) for g, r in each)))
    spoken = np.concatenate([reference.spoken for _, reference in each])
    closed = [gap[list(frames)].min() < CLOSED for gap, r in each for frames in r.closures]
    shut = np.concatenate([gap[reference.pauses] < CLOSED for gap, reference in each])
    vowels = [(float(gap[frame]), height) for gap, r in each for frame, height in r.vowels]
    return SpeechFigures(
        opening=correlation(got, wanted),
        spoken=correlation(got[spoken], wanted[spoken]),
        lag_ms=best_lag_ms(each, fps),
        vowels=correlation(*np.array(vowels).T) if len(vowels) > 2 else float("nan"),
        closures=float(np.mean(closed)) if closed else float("nan"),
        pauses=float(np.mean(shut)) if shut.size else float("nan"),
    )


def correlation(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Return Pearson's correlation; NaN where one of both does not move."""
    if len(one) < 3 or one.std() < 1e-9 or other.std() < 1e-9:
        return float("nan")
    return float(np.corrcoef(one, other)[0, 1])


def best_lag_ms(pairs: Iterable[tuple[Gaps, Reference]], fps: Fraction) -> float:
    """Return how much later than its reference a mouth moves: where the correlation is highest."""
    each = list(pairs)
    most = int(MOST_LAG_S * fps)
    scores = {}
    for lag in range(-most, most + 1):
        late = [gap[max(0, lag) : len(gap) + min(0, lag)] for gap, _ in each]
        wanted = [r.gap[max(0, -lag) : len(r.gap) + min(0, -lag)] for _, r in each]
        scores[lag] = correlation(np.concatenate(late), np.concatenate(wanted))
    best = max(scores, key=lambda lag: np.nan_to_num(scores[lag], nan=-1))
    return float(1000 * best / fps)
