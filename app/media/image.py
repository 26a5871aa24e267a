"""Photos: bytes to upright RGB pixels, and those to the size of the video.

H/W pixels. Image coordinates as in app.values.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from app.errors import BadRequest
from app.media.colour import reduced, to_rgb
from app.media.config import MediaConfig
from app.media.image_file import kept_px, opened
from app.values import Portrait


@dataclass(frozen=True, slots=True, eq=False)
class FittedPortrait:
    """A portrait at output size, and how points of the original get there.

    Attributes:
        portrait: the resized photo, both sides even.
        x_factor: a point at x px of the original lies at x * x_factor px here; the origin stays.
        y_factor: the same for y.
    """

    portrait: Portrait
    x_factor: float
    y_factor: float


@dataclass(frozen=True, slots=True, eq=False)
class DecodedPortrait:
    """A photo out of its file.

    Attributes:
        portrait: the photo.
        is_animated: whether the file holds more pictures, of which this is the first.
    """

    portrait: Portrait
    is_animated: bool


def decode_portrait(data: bytes, config: MediaConfig) -> DecodedPortrait:
    """Return the photo upright, as 8-bit RGB in sRGB.

    The EXIF orientation and the ICC profile are applied, grey becomes RGB, 16 bits become 8,
    palettes are resolved, CMYK without a profile is converted by its complement, and transparency
    is composited on `config.background_rgb`. Of an animation the first picture counts. A photo
    more than twice as long as any use of it is made smaller by a whole factor.

    Args:
        data: a whole file of a format in `app.media.image_file`.
        config: limits and background.

    Raises:
        BadRequest: no bytes.
        TooLarge: over `config.max_pixels`, or over `config.max_decoded_bytes` in memory.
        UnsupportedMedia: another format, or a file that is damaged or ends early.
    """
    if not data:
        raise BadRequest("The portrait is empty.", "Attach a photo as the part named portrait.")
    with opened(data, config) as image:
        # A camera's second picture, such as a depth map beside a JPEG, is no animation.
        is_animated = image.format != "MPO" and bool(getattr(image, "is_animated", False))
        image.load()
        orientation = _orientation(image)
        pixels_HW3 = to_rgb(reduced(image, kept_px(config)), config.background_rgb)
    upright_HW3 = np.ascontiguousarray(_upright(pixels_HW3, orientation))
    return DecodedPortrait(Portrait(upright_HW3), is_animated)


def fit(portrait: Portrait, longer_side_px: int | None) -> FittedPortrait:
    """Return the portrait resized for the video, both sides even and at least 2.

    The aspect is kept: each side is scaled to the nearest pixel and an odd last row or column is
    then cut off (a single one is doubled), so nothing is stretched by more than half a pixel.

    Args:
        portrait: of any size.
        longer_side_px: what the longer side becomes, > 0; None keeps the size.
    """
    height, width = portrait.pixels.shape[:2]
    scale = 1.0 if longer_side_px is None else longer_side_px / max(height, width)
    to_height, to_width = max(1, round(height * scale)), max(1, round(width * scale))
    pixels = portrait.pixels
    if (to_height, to_width) != (height, width):
        # Area averages every source pixel going down; cubic stays sharp going up.
        kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        pixels = np.asarray(cv2.resize(pixels, (to_width, to_height), interpolation=kind), np.uint8)
    return FittedPortrait(Portrait(_even(pixels)), to_width / width, to_height / height)


def _even(pixels_HW3: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the pixels without an odd last row or column, contiguous; a lone one is doubled."""
    height, width = pixels_HW3.shape[:2]
    pad = ((0, int(height == 1)), (0, int(width == 1)), (0, 0))
    whole = np.pad(pixels_HW3, pad, mode="edge") if 1 in (height, width) else pixels_HW3
    return np.ascontiguousarray(whole[: whole.shape[0] & ~1, : whole.shape[1] & ~1])


def _orientation(image: Image.Image) -> int:
    """Return the orientation in [1, 8] that the EXIF block names, 1 where it names none."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # a damaged note beside the photo does not spoil the photo
        return 1
    return orientation if orientation in range(1, 9) else 1


def _upright(pixels_HW3: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Return a view as it is to be seen (EXIF 2.32, tag 274: where row 0 and column 0 lie)."""
    transposed = pixels_HW3.transpose(1, 0, 2)
    return {
        1: pixels_HW3,
        2: pixels_HW3[:, ::-1],
        3: pixels_HW3[::-1, ::-1],
        4: pixels_HW3[::-1],
        5: transposed,
        6: transposed[:, ::-1],
        7: transposed[::-1, ::-1],
        8: transposed[::-1],
    }[orientation]
