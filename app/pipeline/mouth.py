"""Mouth crops: cutting the lower face out of frames, and putting what a model changed back.

T frames, H/W image px, S crop px (a square), K mesh points. A transform is a (2, 3) similarity
[A|b] from image px to crop px, both with pixel centres at .5: p_crop = A p_image + b.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.topology import EYE_CORNERS, LEFT_EYE_OUTER, RIGHT_EYE_OUTER

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]
Samples = NDArray[np.integer[Any] | np.floating[Any]]
Box = tuple[int, int, int, int]

# Under the nose and at both sides of its wings: speech hardly moves these.
NOSE_BASE = (2, 98, 97, 326, 327)

# All in units of the distance between the eyes' outer corners.
SIDE = 1.6
CENTRE_BELOW_NOSE = 0.5
NOSE_BELOW_EYES = 0.57

FEATHER = 0.08
"""Width of the border over which changes fade in, as a share of S."""

CROP_PER_IMAGE_PX = 1.25
"""Least zoom of crops: what is warped in them is interpolated twice more, which blurs."""

# Gaussian deviations against aliasing, in source px per target px. An enlarged crop holds hardly
# more detail than its frame; as strong a blur on the way back would leave of everything that a
# model covers, teeth under closed lips for one, a ghost.
CUT_BLUR = 0.5
BLEND_BLUR = 0.25


class LowerFace:
    """The lower face in an upright square, from the middle of the nose to the neck.

    The square's side is chosen for the first frames that are placed and kept for all later ones,
    so that a mouth's sharpness never jumps: one object serves one session.

    Args:
        sides_px: those to choose from, > 0.
    """

    def __init__(self, *sides_px: int) -> None:
        self._sides_px = sorted(sides_px)
        self._crop_px = 0

    def place(self, points_TK2: Floats) -> Floats:
        """Return `crop_transforms`."""
        if not self._crop_px:
            self._crop_px = crop_side(points_TK2, self._sides_px)
        return crop_transforms(points_TK2, self._crop_px)

    def cut(self, pixels_THW3: Pixels, transforms: Floats) -> Pixels:
        """Return the crops, (T, S, S, 3) uint8 RGB."""
        return cut(pixels_THW3, transforms, self._crop_px)

    def blend(
        self, pixels_THW3: Pixels, crops_in: Pixels, crops_out: Pixels, transforms: Floats
    ) -> Pixels:
        """Return frames to which the model's changes are added."""
        return blend(pixels_THW3, crops_in, crops_out, transforms)


def crop_side(points_TK2: Floats, sides_px: Sequence[int]) -> int:
    """Return the least S that shows faces of this size well enough, or the largest there is.

    Args:
        points_TK2: (T, 478, 2) float32, mesh points, image px.
        sides_px: to choose from, ascending.
    """
    side_of_one = 1 / _zoom(crop_transforms(points_TK2, 1)[0])
    wanted_px = CROP_PER_IMAGE_PX * side_of_one
    return next((side for side in sides_px if side >= wanted_px), sides_px[-1])


def crop_transforms(points_TK2: Floats, crop_px: int) -> Floats:
    """Return where the lower face of each frame lies, from the middle of the nose to the neck.

    Position, size and angle come from the eyes and the nose alone, so a crop stands still while
    its mouth opens. The size mixes the eyes' distance with that from eyes to nose: turning the
    head shortens only one of them.

    Args:
        points_TK2: (T, 478, 2) float32, mesh points, image px.
        crop_px: S > 0.

    Returns:
        (T, 2, 3) float32, image px to crop px; the line through the eyes becomes horizontal.
    """
    points = points_TK2.astype(np.float64)
    across = points[:, RIGHT_EYE_OUTER] - points[:, LEFT_EYE_OUTER]
    width = np.maximum(np.linalg.norm(across, axis=1), 1e-3)
    right = across / width[:, None]
    down = np.stack([-right[:, 1], right[:, 0]], axis=1)
    nose = points[:, NOSE_BASE].mean(axis=1)
    drop = ((nose - points[:, EYE_CORNERS].mean(axis=1)) * down).sum(axis=1) / NOSE_BELOW_EYES
    unit = np.sqrt((width**2 + drop**2) / 2)
    centre = nose + (CENTRE_BELOW_NOSE * unit)[:, None] * down
    turn = np.stack([right, down], axis=1) * (crop_px / (SIDE * unit))[:, None, None]
    offset = crop_px / 2 - np.einsum("tij,tj->ti", turn, centre)
    return np.concatenate([turn, offset[:, :, None]], axis=2).astype(np.float32)


def to_crop(points: Floats, transforms: Floats) -> Floats:
    """Map (T, K, 2) float32 image px to crop px by the frames' (T, 2, 3) transforms."""
    turned = np.einsum("tij,tkj->tki", transforms[:, :, :2], points[..., :2])
    points_in_crop: Floats = (turned + transforms[:, None, :, 2]).astype(np.float32)
    return points_in_crop


def cut(pixels_THW3: Pixels, transforms: Floats, crop_px: int) -> Pixels:
    """Return the crops, (T, S, S, 3) uint8 RGB; the image's border pixels repeat outside it."""
    crops = np.empty((len(pixels_THW3), crop_px, crop_px, 3), np.uint8)
    for frame, transform, crop in zip(pixels_THW3, transforms, crops, strict=True):
        # One px around keeps what interpolation reads; never empty, so that a border is left
        # to repeat where the whole crop lies outside.
        x0, y0, x1, y1 = _image_box(transform, crop_px, frame.shape, margin=2)
        source = _softened(frame[y0:y1, x0:x1], _zoom(transform), CUT_BLUR)
        back = _centred(_moved(transform, x0, y0))
        cv2.warpAffine(source, back, (crop_px, crop_px), dst=crop, borderMode=cv2.BORDER_REPLICATE)
    return crops


def blend(pixels_THW3: Pixels, crops_in: Pixels, crops_out: Pixels, transforms: Floats) -> Pixels:
    """Return frames in which the model's changes are added to the pixels that were there.

    Only the difference of the crops is brought back, so cutting blurs nothing, and where the
    model changed nothing a frame stays as it was, bit by bit. Changes fade out towards the
    crop's border.

    Args:
        pixels_THW3: (T, H, W, 3) uint8 RGB; not written to.
        crops_in: (T, S, S, 3) uint8 RGB, as `cut` made them from these pixels.
        crops_out: (T, S, S, 3) uint8 RGB, what the model made of them.
        transforms: (T, 2, 3) float32, as given to `cut`.
    """
    frames = pixels_THW3.copy()
    for frame, before, after, transform in zip(
        frames, crops_in, crops_out, transforms, strict=True
    ):
        _add_change(frame, before, after, transform)
    return frames


def _add_change(frame: Pixels, before: Pixels, after: Pixels, transform: Floats) -> None:
    """Add what differs between two crops to a frame, in place."""
    size = before.shape[0]
    x0, y0, x1, y1 = _image_box(transform, size, frame.shape, margin=0)
    change: Samples = cv2.subtract(after, before, dtype=cv2.CV_32F)
    change = _softened(cv2.multiply(change, _feather(size)), 1 / _zoom(transform), BLEND_BLUR)
    change = cv2.warpAffine(
        change,
        _centred(_moved(transform, x0, y0)),
        (x1 - x0, y1 - y0),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
    )
    place = frame[y0:y1, x0:x1]
    place[:] = cv2.add(place, change, dtype=cv2.CV_8U)


@lru_cache(maxsize=8)
def _feather(size: int) -> Floats:
    """Return the weight of changes, (S, S, 3) float32: 0 at the border, 1 inside."""
    depth = (np.minimum(np.arange(size), np.arange(size)[::-1]) / (FEATHER * size)).clip(0, 1)
    ramp = (depth * depth * (3 - 2 * depth)).astype(np.float32)
    return np.repeat(np.outer(ramp, ramp)[:, :, None], 3, axis=2)


def _zoom(transform: Floats) -> float:
    """Return how many crop px one image px becomes."""
    return float(np.hypot(transform[0, 0], transform[1, 0]))


def _softened(pixels: Samples, zoom: float, blur: float) -> Samples:
    """Blur pixels that are about to be drawn `zoom` times as large, if that is smaller.

    Bilinear sampling of a reduced image skips pixels; a Gaussian stops that, and grows from
    nothing as the reduction begins, so a slow zoom shows no jump.
    """
    sigma = blur * float(np.sqrt(max(zoom**-2 - 1, 0.0)))
    if sigma < 0.3:
        return pixels
    return cv2.GaussianBlur(pixels, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)


def _moved(transform: Floats, x: int, y: int) -> NDArray[np.float64]:
    """Return the transform for an image whose origin moves to (x, y)."""
    matrix = transform.astype(np.float64)
    matrix[:, 2] += matrix[:, :2] @ (x, y)
    return matrix


def _centred(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the same transform for OpenCV, whose pixel centres are at whole numbers."""
    centred = matrix.copy()
    centred[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    return centred


def _image_box(transform: Floats, size: int, shape: tuple[int, ...], margin: int) -> Box:
    """Return x0, y0, x1, y1 (exclusive) of a crop in the image, at least one pixel."""
    matrix = transform.astype(np.float64)
    corners = np.array([[0, 0], [size, 0], [0, size], [size, size]], np.float64)
    inside = np.linalg.solve(matrix[:, :2], (corners - matrix[:, 2]).T).T
    low = np.floor(inside.min(axis=0)).astype(int) - margin
    high = np.ceil(inside.max(axis=0)).astype(int) + margin
    x0, y0 = (int(np.clip(low[i], 0, shape[1 - i] - 1)) for i in (0, 1))
    x1, y1 = (int(np.clip(high[i], start + 1, shape[1 - i])) for i, start in ((0, x0), (1, y0)))
    return x0, y0, x1, y1
