"""Blinks, as a motion has them and as rendered eyes show them.

T frames, N blinks.
"""

import numpy as np
from numpy.typing import NDArray

from app.quality.passage import runs

Floats = NDArray[np.float32]

SHUT, MOVING = 0.5, 0.15
"""A blink shuts the eye at least so far, and lasts while it is shut further than this."""


def blink_spans(closure: Floats, fps: float) -> Floats:
    """Return start and end of each blink, (N, 2) float32 s, between frames interpolated.

    Args:
        closure: (T,) in [0, 1], how far the eye is shut.
        fps: frames per second.
    """
    spans = []
    for first, last in runs(closure > MOVING):
        if closure[first:last].max() >= SHUT and first > 0 and last < len(closure):
            fell = first - _crossing(closure[first], closure[first - 1])
            rose = last - 1 + _crossing(closure[last - 1], closure[last])
            spans.append((fell, rose))
    return np.array(spans, np.float32).reshape(-1, 2) / np.float32(fps)


def closure_seen(openness: Floats) -> Floats:
    """Return how far eyes are shut, (T,) in [0, 1], from how far they were seen open.

    Open is their median, shut the least that was seen: the mesh never quite sees shut eyes shut.
    """
    opened, shut = float(np.median(openness)), float(openness.min())
    return ((opened - openness) / max(opened - shut, 1e-6)).clip(0, 1).astype(np.float32)


def _crossing(inside: float, outside: float) -> float:
    """Return how far from the frame inside, in frames, the closure passes `MOVING`."""
    return float((inside - MOVING) / max(inside - outside, 1e-6))
