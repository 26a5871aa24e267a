"""Head pose and key points of LivePortrait's nets.

T frames, K key points (21), B bins (66). Key points are row vectors: matrices multiply from the
right. Source: LivePortrait@1986663 src/utils/camera.py, src/live_portrait_wrapper.py.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

KEY_POINTS = 21
BINS = 66
_BIN_DEG = 3.0
_FIRST_DEG = -97.5


def degrees(logits_TB: Floats) -> Floats:
    """Return the angles that the motion extractor's bins stand for.

    Args:
        logits_TB: (T, 66) float32, of one angle.

    Returns:
        (T, 1) float32 in [-97.5, 97.5]: the mean of the bins under the logits' softmax.
    """
    likely_TB = np.exp(logits_TB - logits_TB.max(axis=1, keepdims=True))
    likely_TB /= likely_TB.sum(axis=1, keepdims=True)
    mean_bin_T1 = likely_TB @ np.arange(BINS, dtype=np.float32)[:, None]
    return np.asarray(mean_bin_T1 * _BIN_DEG + _FIRST_DEG, np.float32)


def rotations(pitch_T1: Floats, yaw_T1: Floats, roll_T1: Floats) -> Floats:
    """Return the matrices that turn key points: (T, 3, 3) float32.

    Each is (Rz(roll) Ry(yaw) Rx(pitch)) transposed, of right-handed elementary rotations.

    Args:
        pitch_T1: (T, 1) float32, degrees; so are `yaw_T1` and `roll_T1`.
        yaw_T1: turn about y.
        roll_T1: turn about z.
    """
    radians = np.deg2rad(np.concatenate([pitch_T1, yaw_T1, roll_T1], axis=1))
    (cx, cy, cz), (sx, sy, sz) = np.cos(radians).T, np.sin(radians).T
    transposed = (
        (cy * cz, cy * sz, -sy),
        (sx * sy * cz - cx * sz, sx * sy * sz + cx * cz, sx * cy),
        (cx * sy * cz + sx * sz, cx * sy * sz - sx * cz, cx * cy),
    )
    return np.asarray(transposed, np.float32).transpose(2, 0, 1).copy()


def transform(
    kp_TK3: Floats, rotation_T33: Floats, exp_TK3: Floats, scale_T1: Floats, t_T3: Floats
) -> Floats:
    """Return where key points stand: scale (kp R + exp) + (tx, ty, 0), (T, 21, 3) float32.

    Every argument may have one frame for all. The depth of the translation is never added, as
    the nets were trained without it.

    Args:
        kp_TK3: (T, 21, 3) float32, canonical key points: the face's own shape.
        rotation_T33: (T, 3, 3) float32.
        exp_TK3: (T, 21, 3) float32, the expression's changes.
        scale_T1: (T, 1) float32.
        t_T3: (T, 3) float32.
    """
    x_TK3 = scale_T1[:, :, None] * (kp_TK3 @ rotation_T33 + exp_TK3)
    moved = x_TK3 + t_T3[:, None] * np.array([1, 1, 0], np.float32)
    return np.asarray(moved, np.float32)
