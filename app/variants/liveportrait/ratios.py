"""How far eyes and lips are open, as LivePortrait's retargeting nets take it.

T frames, N points of a landmark set (203 or 478). A ratio is the opening over the width: 0 shut,
an open eye about 0.3 to 0.4. Source: LivePortrait@1986663 src/utils/retargeting_utils.py.
"""

import numpy as np
from numpy.typing import NDArray

from app.variants.liveportrait.landmarks import Quad, layout_of

Floats = NDArray[np.float32]

_NO_WIDTH = np.float32(1e-6)


def eye_ratios(points_TN2: Floats) -> Floats:
    """Return (T, 2) float32, >= 0: the left and the right eye of the image.

    Args:
        points_TN2: (T, 203 or 478, 2) float32.

    Raises:
        ValueError: the landmark set has no lids.
    """
    layout = layout_of(points_TN2)
    if layout.left_lids is None or layout.right_lids is None:
        raise ValueError("this landmark set has no eyelids")
    left, right = _ratio(points_TN2, layout.left_lids), _ratio(points_TN2, layout.right_lids)
    return np.stack([left, right], axis=1)


def lip_ratios(points_TN2: Floats) -> Floats:
    """Return (T, 1) float32, >= 0; arguments and errors as `eye_ratios`."""
    layout = layout_of(points_TN2)
    if layout.lips is None:
        raise ValueError("this landmark set has no inner lips")
    return _ratio(points_TN2, layout.lips)[:, None]


def eye_inputs(source_T2: Floats, driving_T2: Floats) -> Floats:
    """Return what the eye net is told, (T, 3) float32: source left and right, driving.

    The net was trained with one driving ratio; the left eye's stands for both.

    Args:
        source_T2: (T or 1, 2) float32.
        driving_T2: (T or 1, 2 or 1) float32.
    """
    return _joined(source_T2, driving_T2[:, :1])


def lip_inputs(source_T1: Floats, driving_T1: Floats) -> Floats:
    """Return what the lip net is told, (T, 2) float32: source and driving, each (T or 1, 1)."""
    return _joined(source_T1, driving_T1)


def _ratio(points_TN2: Floats, quad: Quad) -> Floats:
    """Return |a - b| / |c - d| of four points, (T,) float32."""
    a, b, c, d = (points_TN2[:, index] for index in quad)
    opening, width = np.linalg.norm(a - b, axis=1), np.linalg.norm(c - d, axis=1)
    return np.asarray(opening / (width + _NO_WIDTH), np.float32)


def _joined(source: Floats, driving: Floats) -> Floats:
    frames = max(len(source), len(driving))
    parts = [np.broadcast_to(part, (frames, part.shape[1])) for part in (source, driving)]
    return np.concatenate(parts, axis=1, dtype=np.float32)
