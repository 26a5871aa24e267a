"""The square around a face that LivePortrait works on, and cutting it out.

T frames, N points of a landmark set, S crop px. Pixel centres are at whole numbers. A matrix is
(3, 3) and takes column vectors (x, y, 1) of a picture to those of a crop. Source:
LivePortrait@1986663 src/utils/crop.py, src/utils/cropper.py, src/config/crop_config.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.variants.liveportrait.landmarks import layout_of

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

CROP_PX: Final = 512
_SHORTEST_PX = 1e-3


@dataclass(frozen=True, slots=True)
class Framing:
    """How a face fills its crop.

    Attributes:
        scale: side of the square over the longer side of the box of all points.
        vx: shift of the square along the line of the eyes, in sides.
        vy: shift across it; negative towards the forehead.
        mouth: whether eyes and mouth give the upright direction; else the eyes alone do.
    """

    scale: float
    vx: float = 0.0
    vy: float = 0.0
    mouth: bool = True


SOURCE: Final = Framing(scale=2.3, vy=-0.125)
DRIVING: Final = Framing(scale=2.2, vy=-0.1)
LANDMARKS: Final = Framing(scale=1.5, vy=-0.1)
"""Of the published 203-point net's input, 224 px."""


@dataclass(frozen=True, slots=True, eq=False)
class Squares:
    """Squares in pictures, one per frame.

    Attributes:
        centre: (T, 2) float32 px.
        side: (T,) float32 px, > 0.
        right: (T, 2) float32, the unit vector that is to the right in the crop.
    """

    centre: Floats
    side: Floats
    right: Floats

    def angle_rad(self) -> Floats:
        """Return how far each is turned clockwise as seen: (T,) float32 in [-pi, pi]."""
        return np.arctan2(self.right[:, 1], self.right[:, 0])

    def upright(self) -> "Squares":
        """Return squares of the same centres and sides that are not turned."""
        return Squares(self.centre, self.side, _ahead(len(self.side)))

    def corners(self) -> Floats:
        """Return (T, 4, 2) float32 px, clockwise from the crop's top left corner."""
        halves = self.right * np.float32(0.5) * self.side[:, None]
        x, y = halves[:, None], _across(halves)[:, None]
        return np.concatenate([-x - y, x - y, x + y, y - x], axis=1) + self.centre[:, None]

    def matrices(self, crop_px: int = CROP_PX) -> Floats:
        """Return what takes pictures to crops of a side: (T, 3, 3) float32 similarities."""
        turns = np.stack([self.right, _across(self.right)], axis=1)
        turns = turns * (crop_px / self.side)[:, None, None]
        matrices = np.zeros((len(self.side), 3, 3), np.float32)
        matrices[:, :2, :2] = turns
        matrices[:, :2, 2] = crop_px / 2 - (turns @ self.centre[:, :, None])[:, :, 0]
        matrices[:, 2, 2] = 1
        return matrices


def squares(points_TN2: Floats, framing: Framing) -> Squares:
    """Return the square around the face of each frame.

    Its upright direction leads from the eyes to the mouth. The box of all points along it gives
    centre and side.

    Args:
        points_TN2: (T, N, 2) float32 px, of a set in `landmarks.LAYOUTS`.
        framing: `SOURCE`, `DRIVING` or another.

    Note: the published crop finds the angle by an arc cosine in float32, which is off by up to
    0.02 degrees near 0, and drops `vx`.
    """
    layout = layout_of(points_TN2)
    left = points_TN2[:, list(layout.left_eye)].mean(axis=1)
    right = points_TN2[:, list(layout.right_eye)].mean(axis=1)
    if framing.mouth:
        down = points_TN2[:, list(layout.mouth)].mean(axis=1) - (left + right) / 2
    else:
        down = _across(right - left)
    length = np.linalg.norm(down, axis=1, keepdims=True)
    unit_y = np.where(length < _SHORTEST_PX, (0, 1), down / np.maximum(length, _SHORTEST_PX))
    unit_x = -_across(unit_y)
    outline = points_TN2 if layout.outline is None else points_TN2[:, list(layout.outline)]
    axes = np.stack([unit_x, unit_y], axis=2)
    mean = outline.mean(axis=1)
    places = (outline - mean[:, None]) @ axes
    low, high = places.min(axis=1), places.max(axis=1)
    side = (high - low).max(axis=1) * framing.scale
    shift = (low + high) / 2 + side[:, None] * (framing.vx, framing.vy)
    centre = mean + (axes @ shift[:, :, None])[:, :, 0]
    return Squares(*(np.asarray(part, np.float32) for part in (centre, side, unit_x)))


def mean_square(framed: Squares) -> Squares:
    """Return the upright square that crops a whole driving video, T = 1.

    Its sides are the means of the frames' sides, so the head moves inside it.
    """
    centre, side = framed.centre.mean(axis=0), framed.side.mean()
    return Squares(centre[None], side[None], _ahead(1))


def inverse(matrices_T33: Floats) -> Floats:
    """Return what takes crops back to pictures: (T, 3, 3) float32."""
    return np.linalg.inv(matrices_T33.astype(np.float64)).astype(np.float32)


def moved(points_TN2: Floats, matrices_T33: Floats) -> Floats:
    """Return (T, N, 2) float32 points where the matrices take them."""
    turned = points_TN2 @ matrices_T33[:, :2, :2].transpose(0, 2, 1)
    return np.asarray(turned + matrices_T33[:, None, :2, 2], np.float32)


def cut(pictures: Sequence[Pixels], matrices_T33: Floats, crop_px: int = CROP_PX) -> Pixels:
    """Return the crops, (T, S, S, 3) uint8 RGB, bilinear, black outside the picture.

    Args:
        pictures: T of (H, W, 3) uint8 RGB.
        matrices_T33: (T, 3, 3) float32, of `Squares.matrices` for the same `crop_px`.
        crop_px: S > 0.
    """
    crops = np.empty((len(pictures), crop_px, crop_px, 3), np.uint8)
    for picture, matrix, crop in zip(pictures, matrices_T33, crops, strict=True):
        cv2.warpAffine(picture, matrix[:2], (crop_px, crop_px), dst=crop, flags=cv2.INTER_LINEAR)
    return crops


def _ahead(frames: int) -> Floats:
    return np.tile(np.array([1, 0], np.float32), (frames, 1))


def _across(vectors_T2: Floats) -> Floats:
    """Return (T, 2) vectors a quarter turn clockwise as seen: right becomes down."""
    return np.stack([-vectors_T2[:, 1], vectors_T2[:, 0]], axis=1)
