"""Faces as Wav2Lip takes and gives them, and putting them back.

T frames, H/W image px, S crop px (96). Pictures are uint8 RGB; the net's own channels are BGR,
which stays in here. A transform is a (2, 3) matrix [A|b] from image px to crop px, both with
pixel centres at .5, as in `app.pipeline.mouth`. Source: Wav2Lip@5c90fa9 inference.py.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]
Ints = NDArray[np.integer[Any]]
Samples = NDArray[np.integer[Any] | np.floating[Any]]

CROP_PX: Final = 96
_MASKED_FROM = CROP_PX // 2

# Of the feathered paste, in shares of the crop. The net is shown everything above the middle, so
# its change begins there, and is whole from the nose's base on.
_RISE = (0.46, 0.58)
_EDGE = 0.05
# The face fills the oval in its box but for the chin's share; all of the chin must show.
_CENTRE = (0.5, 0.47)
_OVAL = (1.0, 1.16)
_BLUR = 0.5
_LEAST_BLUR = 0.3


def to_inputs(faces_TSS3: Pixels) -> Floats:
    """Return faces as the net's input, (T, 6, 96, 96) float32 in [0, 1].

    Channels 0-2 are the face without its lower half, 3-5 all of it, both BGR.

    Args:
        faces_TSS3: (T, 96, 96, 3) uint8 RGB.
    """
    planes = faces_TSS3[..., ::-1].transpose(0, 3, 1, 2)
    inputs = np.concatenate([planes, planes], axis=1).astype(np.float32) / np.float32(255)
    inputs[:, :3, _MASKED_FROM:] = 0
    return inputs


def to_faces(outputs: Floats) -> Pixels:
    """Return the net's answers as (T, 96, 96, 3) uint8 RGB.

    Args:
        outputs: (T, 3, 96, 96) float32 BGR in [0, 1]; what a level has beyond whole numbers is
            cut, as published.
    """
    levels = (outputs * np.float32(255)).astype(np.uint8)
    return np.ascontiguousarray(levels.transpose(0, 2, 3, 1)[..., ::-1])


def cut_boxes(frames: Sequence[Pixels], boxes_T4: Ints) -> Pixels:
    """Return the boxes' insides at 96 x 96, stretched, as published: (T, 96, 96, 3) uint8 RGB.

    Args:
        frames: T of (H, W, 3) uint8 RGB.
        boxes_T4: (T, 4) integers, x0, y0, x1, y1, exclusive; inside the frames, not empty.
    """
    faces = np.empty((len(frames), CROP_PX, CROP_PX, 3), np.uint8)
    for frame, (x0, y0, x1, y1), face in zip(frames, boxes_T4, faces, strict=True):
        cv2.resize(frame[y0:y1, x0:x1], (CROP_PX, CROP_PX), dst=face)
    return faces


def paste_boxes(frames: Sequence[Pixels], faces_TSS3: Pixels, boxes_T4: Ints) -> list[Pixels]:
    """Return frames with whole faces in hard rectangles, as published; arguments as above."""
    pasted = [frame.copy() for frame in frames]
    for frame, (x0, y0, x1, y1), face in zip(pasted, boxes_T4, faces_TSS3, strict=True):
        frame[y0:y1, x0:x1] = cv2.resize(face, (int(x1 - x0), int(y1 - y0)))
    return pasted


def transforms(boxes_T4: Floats) -> Floats:
    """Return what takes images to crops: (T, 2, 3) float32; boxes are stretched to squares.

    Args:
        boxes_T4: (T, 4) float32, x0, y0, x1, y1 px, not empty; may reach beyond the image.
    """
    zoom = CROP_PX / (boxes_T4[:, 2:] - boxes_T4[:, :2])
    matrices = np.zeros((len(boxes_T4), 2, 3), np.float32)
    matrices[:, (0, 1), (0, 1)] = zoom
    matrices[:, :, 2] = -zoom * boxes_T4[:, :2]
    return matrices


def cut(frames: Sequence[Pixels], transforms_T23: Floats) -> Pixels:
    """Return the crops, (T, 96, 96, 3) uint8 RGB; border pixels repeat outside the image."""
    faces = np.empty((len(frames), CROP_PX, CROP_PX, 3), np.uint8)
    for frame, transform, face in zip(frames, transforms_T23, faces, strict=True):
        x0, y0, x1, y1 = _image_box(transform, frame.shape, margin=2)
        part = _softened(frame[y0:y1, x0:x1], transform)
        matrix = _centred(transform, x0, y0)
        cv2.warpAffine(part, matrix, (CROP_PX, CROP_PX), dst=face, borderMode=cv2.BORDER_REPLICATE)
    return faces


def paste(frames: Sequence[Pixels], faces_TSS3: Pixels, transforms_T23: Floats) -> list[Pixels]:
    """Return frames whose lower faces are replaced, fading into what was there.

    Args:
        frames: T of (H, W, 3) uint8 RGB; not written to.
        faces_TSS3: (T, 96, 96, 3) uint8 RGB, of `to_faces`.
        transforms_T23: (T, 2, 3) float32, as given to `cut`.
    """
    pasted = [frame.copy() for frame in frames]
    for frame, face, transform in zip(pasted, faces_TSS3, transforms_T23, strict=True):
        x0, y0, x1, y1 = _image_box(transform, frame.shape, margin=0)
        part = frame[y0:y1, x0:x1]
        matrix = _centred(transform, x0, y0)
        # A face is mostly enlarged, which cubic interpolation keeps free of facets.
        drawn = _drawn(face, matrix, part.shape, cv2.INTER_CUBIC, cv2.BORDER_REPLICATE)
        shown = _drawn(_feather(), matrix, part.shape, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT)
        shown = shown[:, :, None]
        part[:] = part + shown * (drawn - part) + 0.5
    return pasted


@lru_cache(maxsize=1)
def _feather() -> Floats:
    """Return how much of a face shows, (96, 96) float32: its lower half, 0 at the border."""
    place = (np.arange(CROP_PX) + 0.5) / CROP_PX
    rise = _smooth_step(place, *_RISE)[:, None]
    edge = _smooth_step(np.minimum(place, 1 - place), 0, _EDGE)
    (x, y), (inner, outer) = _CENTRE, _OVAL
    radius = np.hypot((place - x) / x, (place[:, None] - y) / y)
    return (rise * np.outer(edge, edge) * _smooth_step(-radius, -outer, -inner)).astype(np.float32)


def _smooth_step(place: NDArray[np.float64], start: float, end: float) -> NDArray[np.float64]:
    share = ((place - start) / (end - start)).clip(0, 1)
    step: NDArray[np.float64] = share * share * (3 - 2 * share)
    return step


def _drawn(
    crop: Pixels | Floats,
    matrix: NDArray[np.float64],
    shape: tuple[int, ...],
    way: int,
    border: int,
) -> Floats:
    """Return a crop as it lies in the part of an image, float32."""
    drawn = cv2.warpAffine(
        crop,
        matrix,
        (shape[1], shape[0]),
        flags=way | cv2.WARP_INVERSE_MAP,
        borderMode=border,
    )
    return np.asarray(drawn, np.float32)


def _softened(part: Pixels, transform: Floats) -> Samples:
    """Blur what is about to be reduced, because bilinear sampling skips pixels then."""
    zoom = float(np.sqrt(abs(np.linalg.det(transform[:, :2]))))
    sigma = _BLUR * float(np.sqrt(max(zoom**-2 - 1, 0.0)))
    if sigma < _LEAST_BLUR:
        return part
    return cv2.GaussianBlur(part, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)


def _centred(transform: Floats, x: int, y: int) -> NDArray[np.float64]:
    """Return the transform for OpenCV, whose pixel centres are whole, with its origin at (x, y)."""
    matrix = transform.astype(np.float64)
    matrix[:, 2] += matrix[:, :2] @ (x + 0.5, y + 0.5) - 0.5
    return matrix


def _image_box(transform: Floats, shape: tuple[int, ...], margin: int) -> tuple[int, int, int, int]:
    """Return x0, y0, x1, y1 (exclusive) of a crop in the image, at least one pixel."""
    matrix = transform.astype(np.float64)
    corners = np.array([[0, 0], [CROP_PX, 0], [0, CROP_PX], [CROP_PX, CROP_PX]], np.float64)
    inside = np.linalg.solve(matrix[:, :2], (corners - matrix[:, 2]).T).T
    low = np.floor(inside.min(axis=0)).astype(int) - margin
    high = np.ceil(inside.max(axis=0)).astype(int) + margin
    x0, y0 = (int(np.clip(low[axis], 0, shape[1 - axis] - 1)) for axis in (0, 1))
    x1, y1 = (
        int(np.clip(high[axis], start + 1, shape[1 - axis])) for axis, start in ((0, x0), (1, y0))
    )
    return x0, y0, x1, y1
