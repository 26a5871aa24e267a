"""Where the face is that Wav2Lip is shown, frame by frame.

T frames, K mesh points (478). A box is x0, y0, x1, y1 in image px, x1 and y1 exclusive.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.topology import FACE_OVAL

Floats = NDArray[np.float32]
Ints = NDArray[np.integer[Any]]

PUBLISHED_WINDOW: Final = 5
CHIN_SHARE: Final = 0.06
"""What a box reaches below the chin, as a share of the face's height; the published script adds 10
px to faces of any size."""

SMOOTHING_FRAMES: Final = 2.0
"""Deviation of the Gaussian over time."""
_LEAST_DEVIATION = 0.2


def face_boxes(points_TK: Floats) -> Floats:
    """Return boxes as a face detector draws them, forehead to chin: (T, 4) float32.

    Args:
        points_TK: (T, 478, 2 or 3) float32, mesh points, image px.
    """
    oval = points_TK[:, list(FACE_OVAL), :2]
    low, high = oval.min(axis=1), oval.max(axis=1)
    high[:, 1] += CHIN_SHARE * (high[:, 1] - low[:, 1])
    return np.concatenate([low, high], axis=1, dtype=np.float32)


def smoothed(boxes_T4: Floats, deviation_frames: float = SMOOTHING_FRAMES) -> Floats:
    """Return boxes averaged over time by a Gaussian, (T, 4) float32.

    Looks as far ahead as back, so that a box neither lags nor leads; the first and the last box
    repeat beyond the ends.

    Args:
        boxes_T4: (T, 4) float32, T >= 1.
        deviation_frames: >= 0; below 0.2 no neighbour has weight, and nothing changes.
    """
    if deviation_frames < _LEAST_DEVIATION:
        return boxes_T4.copy()
    reach = int(np.ceil(3 * deviation_frames))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation_frames) ** 2)
    padded = np.pad(boxes_T4.astype(np.float64), ((reach, reach), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=0)
    return np.asarray(windows @ (weights / weights.sum()), np.float32)


def smoothed_as_published(boxes_T4: Ints, window: int = PUBLISHED_WINDOW) -> Ints:
    """Return boxes averaged with those that follow, cut to whole px: (T, 4), of the same type.

    The last ones have fewer to follow and are averaged with smoothed ones before them, each with
    what the one before has become.

    Args:
        boxes_T4: (T, 4) integers, not written to.
        window: frames, > 0.

    Source: Wav2Lip@5c90fa9 inference.py.
    """
    boxes = boxes_T4.copy()
    whole = max(0, len(boxes) - window + 1)
    if whole:
        ahead = np.lib.stride_tricks.sliding_window_view(boxes_T4, window, axis=0)
        boxes[:whole] = ahead.mean(axis=2)
    for frame in range(whole, len(boxes)):
        boxes[frame] = boxes[max(0, len(boxes) - window) :].mean(axis=0)
    return boxes
