"""Head motions of our own: idling, and none at all.

T frames, W waves of an axis. Times are media times in seconds.
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

FIXATION_S = (0.35, 2.6)
"""How long the eyes rest on a place."""

SACCADE_S = 0.045
"""How long they take to the next: 2 degrees take about 25 ms, and a frame is no shorter."""

GAZE_SPREAD_DEG = (1.3, 0.7)
GAZE_LIMIT_DEG = (3.0, 2.0)
"""Standard deviation of places around the viewer's eyes, across and down, and how far they go."""

STEADYING = 0.35
"""Share of a turn of the head that the eyes take back, to stay with the viewer."""

BREATH_HZ = (0.2, 0.28)
BREATH_WANDER_HZ = (0.031, 0.053)
"""Rate of breathing, and rates at which its depth wanders."""


def still_motion(num_frames: int) -> Motion:
    """Return a motion of `num_frames` rows that leaves the photo as it is."""
    return Motion(np.zeros((num_frames, 3), np.float32), np.zeros((num_frames, 2), np.float32))


def idle_motion(num_frames: int, fps: Fraction, seed: int, first: int = 0) -> Motion:
    """Return the motion of a person who waits: a slow sway, blinks, small saccades, breath.

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
    sway, blinks, looks, breath = (
        np.random.Generator(np.random.PCG64(part)) for part in np.random.SeedSequence(seed).spawn(4)
    )
    pose = _sway(times_T, sway)
    closure = _blinks(times_T, blinks)
    gaze = _gaze(times_T, pose[:, :2], looks)
    brows = np.zeros((num_frames, 1))
    gesture = np.concatenate([gaze, brows, _breath(times_T, breath)], axis=1)
    return Motion(*(part.astype(np.float32) for part in (pose, closure, gesture)))


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


def _gaze(times_T: Array, turned_T2: Array, random: np.random.Generator) -> Array:
    """Return the gaze in degrees to the image's right and downwards, (T, 2).

    The eyes jump from place to place near the viewer, and take back some of the head's turns.
    """
    gaze_T2: Array = np.zeros((len(times_T), 2))
    end = times_T[-1] if len(times_T) else 0.0
    start, place_2 = random.uniform(*FIXATION_S), np.zeros(2)
    while start <= end:
        following_2 = random.normal(0, GAZE_SPREAD_DEG)
        # Every other jump goes back to the viewer's eyes.
        if random.random() < 0.45:
            following_2 = 0.2 * following_2
        gaze_T2 += _smoothstep((times_T - start) / SACCADE_S)[:, None] * (following_2 - place_2)
        place_2 = following_2
        start += random.uniform(*FIXATION_S)
    limits = np.array(GAZE_LIMIT_DEG)
    gaze_T2 = limits * np.tanh((gaze_T2 - STEADYING * turned_T2) / limits)
    return gaze_T2


def _breath(times_T: Array, random: np.random.Generator) -> Array:
    """Return the breath in [-1, 1], (T, 1), 0 in frame 0."""
    phase, (drift, depth) = random.uniform(0, 1), random.uniform(0, 1, 2)
    slow, slower = BREATH_WANDER_HZ
    turns_T = random.uniform(*BREATH_HZ) * times_T + 0.12 * np.sin(
        2 * np.pi * (slow * times_T + drift)
    )
    deep_T = 0.8 + 0.2 * np.sin(2 * np.pi * (slower * times_T + depth))
    # In faster than out: a sine whose phase runs ahead of itself.
    angle_T = 2 * np.pi * (turns_T + phase)
    breath_T = deep_T * np.sin(angle_T + 0.4 * np.sin(angle_T))
    breath_T1: Array = (_smoothstep(times_T / SETTLE_S) * breath_T)[:, None]
    return breath_T1


def _smoothstep(t: Array) -> Array:
    """Return 0 below 0, 1 above 1 and a smooth cubic between."""
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)
