"""Head motions of our own: an idle sway with blinks, and none at all.

T frames, W waves of an axis, B blinks. Times are media times in seconds.
"""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from app.values import Motion

Array = NDArray[np.float64]

SWAY_DEG = (4.0, 2.5, 2.0)
"""Bounds of yaw, pitch and roll."""

WAVES_HZ = (0.071, 0.127, 0.229, 0.383)
"""Rates that no common period joins soon; each seed shifts them by up to a tenth."""

WAVE_SHARES = (0.34, 0.3, 0.24, 0.12)
EASE_S = 0.6
SETTLE_S = 3.0
"""How soon the sway starts, and how long it takes to forget where it started."""

FIRST_BLINK_S = (0.8, 3.0)
BLINK_EVERY_S = (2.2, 5.8)
BLINK_LASTS_S = (0.16, 0.34)
BLINK_LAG_S = 0.008
BLINK_DEPTH = (0.94, 1.0)
CLOSING, SHUT = 0.32, 0.22
"""Shares of a blink in which the lids fall and stay shut; they rise more slowly."""


def still_motion(num_frames: int) -> Motion:
    """Return a motion of `num_frames` rows that leaves the photo as it is."""
    return Motion(np.zeros((num_frames, 3), np.float32), np.zeros((num_frames, 2), np.float32))


def idle_motion(num_frames: int, fps: Fraction, seed: int, first: int = 0) -> Motion:
    """Return the motion of a person who waits: a slow sway of the head, and blinks.

    Frame i shows media time i / fps, so a rate of frames changes nothing but the sampling, and
    fewer frames are the beginning of more. Frame 0 is the photo.

    Args:
        num_frames: T >= 0.
        fps: frames per second, > 0.
        seed: >= 0; the same seed gives the same motion on every machine.
        first: >= 0, the first of these frames, so that a motion can be made piece by piece.
    """
    frames_T = np.arange(first, first + num_frames, dtype=np.float64)
    times_T = frames_T * (fps.denominator / fps.numerator)
    sway, blinks = np.random.SeedSequence(seed).spawn(2)
    pose = _sway(times_T, np.random.Generator(np.random.PCG64(sway)))
    closure = _blinks(times_T, np.random.Generator(np.random.PCG64(blinks)))
    return Motion(pose.astype(np.float32), closure.astype(np.float32))


def _sway(times_T: Array, random: np.random.Generator) -> Array:
    """Return yaw, pitch and roll in degrees, (T, 3), each within +- `SWAY_DEG`."""
    rates_3W = np.array(WAVES_HZ) * random.uniform(0.9, 1.1, (3, len(WAVES_HZ)))
    phases_3W = random.uniform(0, 1, (3, len(WAVES_HZ)))
    times_T11 = times_T[:, None, None]
    waves_T3 = np.sin(2 * np.pi * (rates_3W * times_T11 + phases_3W)) @ np.array(WAVE_SHARES)
    start_3 = np.sin(2 * np.pi * phases_3W) @ np.array(WAVE_SHARES)
    # The photo stands for where the sway starts, so that must be taken away, at first wholly.
    settling_T1 = 1 - _smoothstep(times_T / SETTLE_S)[:, None]
    sway_T3 = _smoothstep(times_T / EASE_S)[:, None] * (waves_T3 - settling_T1 * start_3)
    pose_T3: Array = np.tanh(1.1 * sway_T3) * np.array(SWAY_DEG)
    return pose_T3


def _blinks(times_T: Array, random: np.random.Generator) -> Array:
    """Return the closure of the left and the right eye in [0, 1], (T, 2)."""
    closure_T2 = np.zeros((len(times_T), 2))
    end = times_T[-1] if len(times_T) else 0.0
    start = random.uniform(*FIRST_BLINK_S)
    while start <= end:
        lasts = random.uniform(*BLINK_LASTS_S)
        lags = np.array([0.0, random.uniform(0, BLINK_LAG_S)])
        if random.random() < 0.5:
            lags = lags[::-1]
        depths = random.uniform(*BLINK_DEPTH, 2)
        phase_T2 = (times_T[:, None] - start - lags) / lasts
        falling = _smoothstep(phase_T2 / CLOSING)
        rising = _smoothstep((phase_T2 - CLOSING - SHUT) / (1 - CLOSING - SHUT))
        closure_T2 = np.maximum(closure_T2, depths * (falling - rising))
        start += random.uniform(*BLINK_EVERY_S)
    return closure_T2


def _smoothstep(t: Array) -> Array:
    """Return 0 below 0, 1 above 1 and a smooth cubic between."""
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)
