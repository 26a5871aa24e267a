"""Quarter turns: photos that lie on their side or stand on their head.

H/W pixels, K mesh points (478). Turns are counter-clockwise as seen, as in `numpy.rot90`.
"""

import math

import numpy as np
from numpy.typing import NDArray

from app.topology import LEFT_EYE_OUTER, RIGHT_EYE_OUTER
from app.values import FaceMesh, Portrait


def roll_deg(points: NDArray[np.float32]) -> float:
    """Return how far (K, 2 or more) points are turned clockwise as seen, degrees in (-180, 180]."""
    x, y = (points[RIGHT_EYE_OUTER] - points[LEFT_EYE_OUTER])[:2]
    return math.degrees(math.atan2(float(y), float(x)))


def upright_turns(mesh: FaceMesh) -> int:
    """Return the quarter turns in 0..3 after which the face stands within 45 degrees of upright."""
    return round(roll_deg(mesh.points) / 90) % 4


def turn_points(
    points: NDArray[np.float32], turns: int, height: int, width: int
) -> NDArray[np.float32]:
    """Return where points of an image lie after the image is turned.

    Args:
        points: (K, 2 or more) float32 image px; columns beyond y stay.
        turns: quarter turns, any integer.
        height: H of the image before the turn.
        width: W of the image before the turn.
    """
    turned = points.copy()
    x, y = points[:, 0], points[:, 1]
    match turns % 4:
        case 1:
            turned[:, 0], turned[:, 1] = y, width - x
        case 2:
            turned[:, 0], turned[:, 1] = width - x, height - y
        case 3:
            turned[:, 0], turned[:, 1] = height - y, x
    return turned


def turn(portrait: Portrait, mesh: FaceMesh, turns: int) -> tuple[Portrait, FaceMesh]:
    """Return the portrait and the mesh on it, both turned; the pixels are a contiguous copy."""
    height, width = portrait.pixels.shape[:2]
    pixels = np.ascontiguousarray(np.rot90(portrait.pixels, turns))
    points = turn_points(mesh.points, turns, height, width)
    return Portrait(pixels), FaceMesh(points, mesh.blendshapes, mesh.score)
