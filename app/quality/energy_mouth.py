"""The mouth to beat: its jaw follows loudness, and knows nothing of what is said.

S mel steps (80 per second), T video frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from app.media.mel import STEPS_HZ
from app.models.viseme.phonemes import JAW_GAP

_HALF_WIDTHS = (2, 4, 6, 8, 10, 14)
_LEVELS = 24


@dataclass(frozen=True, slots=True, eq=False)
class EnergyMouth:
    """Loudness, smoothed to both sides, through a curve that never falls.

    Attributes:
        half_width: of the smoothing, mel steps.
        levels: (L,) float64, dB.
        gaps: (L,) float64, the gap at each, in eye distances.
    """

    half_width: int
    levels: NDArray[np.float64]
    gaps: NDArray[np.float64]

    def gap(
        self, mel_MS: NDArray[np.float32], num_frames: int, fps: Fraction
    ) -> NDArray[np.float32]:
        """Return (T,) float32, the lips' gap in eye distances.

        Args:
            mel_MS: (80, S) float32 in [-4, 4], of speech brought to -20 dBFS RMS.
            num_frames: T.
            fps: frames per second.
        """
        level = _smoothed(loudness_db(mel_MS), self.half_width)
        steps = (np.arange(num_frames) / float(fps) * STEPS_HZ).astype(int)
        heard = level[steps.clip(0, len(level) - 1)]
        return np.interp(heard, self.levels, self.gaps).astype(np.float32)


def fit_energy_mouth(
    recordings: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]],
) -> EnergyMouth:
    """Return the energy-only mouth that follows reference openings best.

    Smoothing and curve are chosen for the highest correlation; the curve is the mean opening at
    each level, made monotone.

    Args:
        recordings: (80, S) log-mel and (S,) reference opening, 1 a jaw's widest gap.
    """
    wanted = np.concatenate([opening for _, opening in recordings])
    best: tuple[float, EnergyMouth] | None = None
    for half_width in _HALF_WIDTHS:
        level = np.concatenate([_smoothed(loudness_db(mel), half_width) for mel, _ in recordings])
        edges = np.quantile(level, np.linspace(0, 1, _LEVELS + 1))
        place = np.searchsorted(edges, level).clip(1, _LEVELS) - 1
        counts = np.bincount(place, minlength=_LEVELS).clip(1)
        means = np.bincount(place, wanted, minlength=_LEVELS) / counts
        means = np.maximum.accumulate(means) * JAW_GAP
        mouth = EnergyMouth(half_width, (edges[1:] + edges[:-1]) / 2, means)
        score = float(np.corrcoef(np.interp(level, mouth.levels, means), wanted)[0, 1])
        if best is None or score > best[0]:
            best = score, mouth
    assert best is not None
    return best[1]


def loudness_db(mel_MS: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return (S,) float64, the level of each step over all bands, dB."""
    power = 10 ** (mel_MS.astype(np.float64) * 1.25)
    return np.asarray(10 * np.log10(power.mean(axis=0) + 1e-8))


def _smoothed(level: NDArray[np.float64], half_width: int) -> NDArray[np.float64]:
    shape = np.hanning(2 * half_width + 3)[1:-1]
    padded = np.pad(level, half_width, mode="edge")
    return np.convolve(padded, shape / shape.sum(), "valid")
