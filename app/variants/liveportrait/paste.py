"""Putting an animated face crop back into its picture, at any output size.

T frames, H/W picture px, S crop px, h/w px of the part of the picture that the crop covers. Pixel
centres are at whole numbers. Source: LivePortrait@1986663 src/utils/crop.py; the mask's formula
describes the mask image that it ships.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.variants.liveportrait.crop import CROP_PX

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

FEATHER_PX: Final = 16
_BLUR = 0.5
"""Gaussian deviation against aliasing, in crop px per picture px."""
_LEAST_BLUR = 0.3


def feather(crop_px: int = CROP_PX) -> Floats:
    """Return how much of a crop shows, (S, S) float32 in [0, 1]: 0 at its corners, 1 inside.

    It falls linearly with the distance from the inner square [16, S - 16], and has 255 levels.
    """
    place = np.arange(crop_px)
    beyond = np.maximum(0, np.maximum(FEATHER_PX - place, place - (crop_px - FEATHER_PX)))
    distance = np.hypot(beyond[:, None], beyond[None])
    levels = np.floor(255 * (1 - distance / FEATHER_PX).clip(0, 1))
    return np.asarray(levels / 255, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """Where a crop goes in a picture; made once for all frames of a still picture.

    Attributes:
        picture: (H, W, 3) uint8 RGB.
        rows: of the part that the crop covers.
        columns: of the same part.
        matrix: (2, 3) float64, crop px to px of that part.
        mask: (h, w, 1) float32 in [0, 1], how much of the crop shows there.
        around: (h, w, 3) float32, what shows of the picture there, and 0.5 to round by.
        blur: deviation of the Gaussian that a crop needs before it is drawn smaller, crop px.
    """

    picture: Pixels
    rows: slice
    columns: slice
    matrix: NDArray[np.float64]
    mask: Floats
    around: Floats
    blur: float


def place(picture: Pixels, to_picture_33: Floats, mask: Floats) -> Placement:
    """Return the placement of crops in a picture.

    Args:
        picture: (H, W, 3) uint8 RGB, at output size.
        to_picture_33: (3, 3) float32, crop px to picture px, of `crop.inverse`; `resized` first
            if the picture is not the one that was cropped.
        mask: (S, S) float32 in [0, 1], of `feather`.
    """
    side = mask.shape[0]
    matrix = to_picture_33.astype(np.float64)
    corners = np.array([[0, 0, 1], [side, 0, 1], [0, side, 1], [side, side, 1]]) @ matrix[:2].T
    limits = picture.shape[1::-1]
    low = np.clip(np.floor(corners.min(axis=0)).astype(int) - 1, 0, limits)
    high = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 1, low, limits)
    columns, rows = (slice(int(low[axis]), int(high[axis])) for axis in (0, 1))
    matrix = matrix[:2].copy()
    matrix[:, 2] -= low
    zoom = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    blur = _BLUR * float(np.sqrt(max(zoom**-2 - 1, 0.0)))
    part = picture[rows, columns]
    shown = _drawn(mask, matrix, blur, part.shape, cv2.BORDER_CONSTANT)[:, :, None]
    return Placement(picture, rows, columns, matrix, shown, part * (1 - shown) + 0.5, blur)


def paste(placement: Placement, faces: Iterable[Pixels]) -> Iterable[Pixels]:
    """Yield the picture with each (S, S, 3) uint8 RGB face in its place, (H, W, 3) uint8 RGB.

    Rounds, so that a face equal to the picture changes nothing; the published code cuts.
    """
    for face in faces:
        frame = placement.picture.copy()
        part = frame[placement.rows, placement.columns]
        # Beyond the crop its border repeats, lest black show where a reduced mask is not yet 0.
        drawn = _drawn(face, placement.matrix, placement.blur, part.shape, cv2.BORDER_REPLICATE)
        part[:] = drawn * placement.mask + placement.around
        yield frame


def resized(to_picture_33: Floats, x: float, y: float) -> Floats:
    """Return the matrix for the picture resized by the factors `x` and `y`: (3, 3) float32."""
    size = np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]])
    return np.asarray(size @ to_picture_33, np.float32)


def mesh_transform(matrix_33: Floats) -> Floats:
    """Return a matrix between pixels for coordinates with centres at .5, as `app.values` has."""
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    return np.asarray(half @ matrix_33 @ np.linalg.inv(half), np.float32)


def _drawn(
    image: NDArray[np.uint8] | Floats,
    matrix_23: NDArray[np.float64],
    blur: float,
    shape: tuple[int, ...],
    border: int,
) -> Floats:
    """Return an image warped into a part of `shape`, float32."""
    if not shape[0] * shape[1]:
        return np.zeros((*shape[:2], *image.shape[2:]), np.float32)
    soft: NDArray[np.integer[Any] | np.floating[Any]] = image
    if blur >= _LEAST_BLUR:
        soft = cv2.GaussianBlur(image, (0, 0), blur, borderType=cv2.BORDER_REPLICATE)
    drawn = cv2.warpAffine(
        soft, matrix_23, (shape[1], shape[0]), flags=cv2.INTER_LINEAR, borderMode=border
    )
    return np.asarray(drawn, np.float32)
