"""Accents: nods and raised brows on syllables that are stressed.

T frames, M mel bins (80), S mel steps of a frame's window (16, 12.5 ms each).
"""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from app.values import Motion

Array = NDArray[np.float64]

VOICE_BINS = slice(2, 58)
"""Mel bins from 130 to 3600 Hz, which vowels fill and hissing does not."""

PLAIN_DB, STRESSED_DB = -18.0, -6.0
"""Levels of a syllable, of speech brought to one level, that pass unmarked and marked in full."""

NOD_DEG, BROWS = 2.4, 1.0
"""Nod and raised brows of a full accent, where the speaker uses one at all."""

WANDER_HZ = (0.11, 0.19, 0.31)
"""Rates at which a speaker changes between nods, brows, both and neither."""


def accented(
    motion: Motion, windows_TMS: NDArray[np.float32], fps: Fraction, seed: int, first: int = 0
) -> Motion:
    """Return a motion with nods and raised brows on the syllables that are stressed.

    A frame hears its own 200 ms only, so that live speech and whole recordings move alike, and
    pieces of a motion are the whole's.

    Args:
        motion: of T frames.
        windows_TMS: (T, 80, 16) float32 in [-4, 4], the log-mel from each frame's time on, of
            speech brought to one level.
        fps: frames per second, > 0.
        seed: >= 0, of what the speaker does when; that of the motion.
        first: >= 0, the number of the first frame.
    """
    stress_T = stresses(windows_TMS)
    frames_T = np.arange(first, first + len(motion), dtype=np.float64)
    times_T = frames_T * (fps.denominator / fps.numerator)
    random = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed).spawn(5)[4]))
    nods_T, brows_T = (_habit(times_T, random) for _ in range(2))
    pose, gesture = motion.pose.copy(), motion.gestures.copy()
    pose[:, 1] += (NOD_DEG * stress_T * nods_T).astype(np.float32)
    gesture[:, 2] += (BROWS * stress_T * brows_T).astype(np.float32)
    return Motion(pose, motion.closure, gesture)


def stresses(windows_TMS: NDArray[np.float32]) -> Array:
    """Return how stressed the syllable in each window is, (T,) in [0, 1].

    By the loudness of its vowel, averaged around the window's middle so smoothly that a head can
    follow.
    """
    power_TMS = 10.0 ** (windows_TMS[:, VOICE_BINS].astype(np.float64) * 1.25 - 3.0)
    level_TS = 10 * np.log10(power_TMS.sum(axis=1) + 1e-7)
    share_TS = ((level_TS - PLAIN_DB) / (STRESSED_DB - PLAIN_DB)).clip(0, 1)
    stress_T: Array = share_TS @ _bell(windows_TMS.shape[2])
    return stress_T


def _bell(steps: int) -> Array:
    """Return weights (S,) that rise and fall smoothly and sum to 1."""
    bell = np.sin(np.pi * (np.arange(steps) + 0.5) / steps) ** 2
    weights: Array = bell / bell.sum()
    return weights


def _habit(times_T: Array, random: np.random.Generator) -> Array:
    """Return how much of a habit the speaker shows, (T,) in [0, 1], none at first."""
    waves = sum(
        np.sin(2 * np.pi * (rate * random.uniform(0.9, 1.1) * times_T + random.uniform(0, 1)))
        for rate in WANDER_HZ
    )
    habit_T: Array = (0.35 + 0.4 * np.asarray(waves)).clip(0, 1) * (times_T / 0.5).clip(0, 1)
    return habit_T
