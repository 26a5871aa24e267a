"""The search for the numbers of the energy-only mouth, which ours is judged beside."""

import itertools
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.models.viseme.coarticulation import opening
from app.training.clips import Clip

_BEFORE: Final = (0, 2, 4, 6, 8)
_AFTER: Final = (2, 3, 5, 7, 9)
_QUIET_DB: Final = (-45.0, -40.0, -35.0, -30.0, -25.0, -20.0, -15.0, -10.0)
_LOUD_DB: Final = (-15.0, -10.0, -5.0, -2.0, 2.0, 6.0, 12.0)


class Numbers(NamedTuple):
    """The constants of `app.quality.energy`, and the correlation that they reach."""

    before: int
    after: int
    quiet_db: float
    loud_db: float
    widest: float
    correlation: float


def fit_energy(clips: Sequence[Clip]) -> Numbers:
    """Return the numbers with which loudness follows the clips' openings best."""
    wanted = np.concatenate([opening(clip.controls) for clip in clips])
    best: Numbers | None = None
    for before, after in itertools.product(_BEFORE, _AFTER):
        level = np.concatenate([_level(clip, before, after) for clip in clips])
        for quiet, loud in itertools.product(_QUIET_DB, _LOUD_DB):
            if loud <= quiet + 3:
                continue
            share = ((level - quiet) / (loud - quiet)).clip(0, 1)
            score = float(np.corrcoef(share, wanted)[0, 1])
            if best is None or score > best.correlation:
                widest = float((share @ wanted) / (share @ share))
                best = Numbers(before, after, quiet, loud, widest, score)
    assert best is not None
    return best


def _level(clip: Clip, before: int, after: int) -> NDArray[np.float64]:
    """Return (S,) the mean level from `before` steps before each step to `after` from it on."""
    power = (10 ** (clip.mel.astype(np.float64) * 1.25 - 3)).sum(axis=0)
    level = np.pad(10 * np.log10(power + 1e-7), (before, after - 1), mode="edge")
    return np.convolve(level, np.full(before + after, 1 / (before + after)), "valid")
