"""The part of a photo that has to stand still: all but head and shoulders.

H/W pixels, T frames.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from app.topology import (
    CHIN,
    FOREHEAD,
    LEFT_CHEEK,
    LEFT_EYE_OUTER,
    RIGHT_CHEEK,
    RIGHT_EYE_OUTER,
)

HEAD_WIDE, HEAD_HIGH = 1.3, 1.35
"""Half axes of the head with its hair and the room that it turns in, 1.8 times its size: in face
widths from cheek to cheek, and in face heights from forehead to chin."""

HAIR_HIGH = 0.5
"""How far hair rises above the forehead, in face heights."""

SHOULDERS_WIDE = 2.5
"""How far the shoulders reach to each side of the chin, in face widths."""


def outside(points: NDArray[np.float32], height: int, width: int) -> NDArray[np.bool_]:
    """Return which pixels are neither head nor shoulders, (H, W) bool.

    Args:
        points: (478, 2 or more) float32 px, the mesh in the photo.
        height: H.
        width: W.
    """
    flat = points[:, :2].astype(np.float64)
    across = flat[RIGHT_EYE_OUTER] - flat[LEFT_EYE_OUTER]
    across /= max(float(np.linalg.norm(across)), 1e-6)
    down = np.array([-across[1], across[0]])
    face_width = float(np.linalg.norm(points[RIGHT_CHEEK] - points[LEFT_CHEEK]))
    face_height = float(np.linalg.norm(points[CHIN] - points[FOREHEAD]))
    # Of a head that is turned in the photo, the middle lies between the cheeks, not in the face's.
    middle = (flat[LEFT_CHEEK] + flat[RIGHT_CHEEK]) / 2
    top = float((flat[FOREHEAD] - middle) @ down) - HAIR_HIGH * face_height
    bottom = float((flat[CHIN] - middle) @ down)
    centre = middle + (top + bottom) / 2 * down
    inside = np.zeros((height, width), np.uint8)
    axes = (round(HEAD_WIDE * face_width), round(HEAD_HIGH * face_height))
    angle = float(np.degrees(np.arctan2(across[1], across[0])))
    place = (round(float(centre[0])), round(float(centre[1])))
    cv2.ellipse(inside, place, axes, angle, 0, 360, 1, -1)
    chin = np.clip(round(float(flat[CHIN, 1])), 0, height)
    reach = SHOULDERS_WIDE * face_width
    left, right = (round(float(flat[CHIN, 0]) + side * reach) for side in (-1, 1))
    inside[chin:, max(0, left) : max(0, right)] = 1
    still: NDArray[np.bool_] = inside == 0
    return still


def largest_change(
    frames: NDArray[np.uint8], photo: NDArray[np.uint8], place: NDArray[np.bool_]
) -> int:
    """Return the largest difference of any frame from the photo in a place, of 255.

    Args:
        frames: (T, H, W, 3) uint8.
        photo: (H, W, 3) uint8.
        place: (H, W) bool.
    """
    return max(
        (int(cv2.absdiff(frame, photo)[place].max(initial=0)) for frame in frames), default=0
    )
