"""Which way a face looks.

C coordinates (x, y, z), K rigid points.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

# Points of a mean face that stay in place when it speaks or smiles, in cm: x to the image's right,
# y down, z away from the camera. Source: mediapipe@d8b0992 canonical_face_model.obj.
_MIDDLE: Final = {
    1: (0.0, 1.127, -7.476),  # nose tip
    6: (0.0, -2.473, -5.789),  # nose bridge
    10: (0.0, -8.262, -4.482),  # forehead
    168: (0.0, -3.271, -5.236),  # nose root
}
# Of a pair, the point on the image's left; its partner mirrors it.
_PAIRS: Final = {
    (33, 263): (-4.446, -2.664, -3.173),  # outer corners of the eyes
    (133, 362): (-1.856, -2.585, -3.758),  # inner corners
    (98, 327): (-1.406, 1.714, -5.241),  # wings of the nose
    (54, 284): (-6.279, -6.615, -1.426),  # temples
    (127, 356): (-7.743, -2.365, 2.005),  # before the ears
    (234, 454): (-7.664, -0.673, 2.436),  # cheeks
}
FACE: Final[dict[int, tuple[float, float, float]]] = {
    **_MIDDLE,
    **{left: place for (left, _), place in _PAIRS.items()},
    **{right: (-x, y, z) for (_, right), (x, y, z) in _PAIRS.items()},
}


def yaw_deg(points: NDArray[np.float32]) -> float:
    """Return how far a face looks aside; positive turns the nose to the image's right.

    Of `rotation`. On five portraits rendered at known turns, it is within 7 degrees up to 45 and
    within 10 at 60; 75 reads as 54 to 79.

    Args:
        points: (478, 2 or more) px.

    Returns:
        Degrees in [-180, 180]; 0 if the points are no face at all (all in one place).
    """
    across, down = _axes(points)
    away = np.cross(across, down)
    return math.degrees(math.atan2(-across[2], away[2]))


def rotation(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how a head is turned, (3, 3) float32: row vectors times it are the head's as seen.

    The turn under which a mean face, projected in parallel, lies closest to the points. Their
    depth is not used: the net flattens it more the further a face is turned.

    Args:
        points: (478, 2 or more) px.
    """
    across, down = _axes(points)
    return np.stack([across, down, np.cross(across, down)], axis=1).astype(np.float32)


def pose_deg(rotation_T33: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return yaw, pitch and roll, (T, 3) float32 degrees, signs as in `app.values.Motion`.

    The turns, pitch first, then yaw, then roll in the image plane, that make the rotations.

    Args:
        rotation_T33: (T, 3, 3) float32, as `rotation` counts; yaw within 90 degrees.
    """
    turn: NDArray[np.float64] = rotation_T33.astype(np.float64)
    yaw = np.arcsin(np.clip(turn[:, 0, 2], -1, 1))
    pitch = np.arctan2(turn[:, 1, 2], turn[:, 2, 2])
    roll = np.arctan2(turn[:, 0, 1], turn[:, 0, 0])
    return np.asarray(np.rad2deg(np.stack([yaw, pitch, roll], axis=1)), np.float32)


def _axes(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the image's right and down, (2, 3), in the mean face's coordinates."""
    model_KC = np.array(list(FACE.values()))
    model_KC -= model_KC.mean(axis=0)
    seen_K2 = points[list(FACE), :2].astype(np.float64)
    seen_K2 -= seen_K2.mean(axis=0)
    linear_C2, *_ = np.linalg.lstsq(model_KC, seen_K2, rcond=None)
    # The nearest projection: a linear map whose two columns are orthogonal and of length 1.
    left, _, right = np.linalg.svd(linear_C2, full_matrices=False)
    axes: NDArray[np.float64] = (left @ right).T
    return axes
