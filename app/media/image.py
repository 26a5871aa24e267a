"""Photos: bytes to upright RGB pixels, and those to the size of the video.

H/W pixels. Image coordinates as in app.values.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from app.errors import BadRequest, TooLarge, UnsupportedMedia
from app.media.config import MediaConfig
from app.media.image_header import read_header
from app.values import Portrait

_STRIP_ROWS = 256


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


def decode_portrait(data: bytes, config: MediaConfig) -> Portrait:
    """Return the photo upright, as 8-bit RGB.

    The EXIF orientation is applied, grey becomes RGB, 16 bits become 8, palettes are resolved,
    CMYK is converted without its profile, and transparency is composited in stored (gamma)
    values on `config.background_rgb`, as browsers do. Of an animation the first picture counts.

    Args:
        data: a whole JPEG or PNG file.
        config: limits and background.

    Raises:
        BadRequest: no bytes.
        TooLarge: the header announces more than `config.max_pixels`.
        UnsupportedMedia: another format, or a file that is damaged or ends early.
    """
    if not data:
        raise BadRequest("The portrait is empty.", "Attach a photo as the part named portrait.")
    header = read_header(data)
    if header.width * header.height > config.max_pixels:
        raise TooLarge(
            f"The portrait has {header.width} x {header.height} pixels, "
            f"over the limit of {config.max_pixels / 1e6:g} million.",
            "Send a smaller copy of the photo.",
        )
    try:
        # UNCHANGED keeps the alpha channel and leaves the orientation to us.
        stored = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        stored = None
    if stored is None or stored.shape[:2] != (header.height, header.width):
        raise UnsupportedMedia(
            "The portrait cannot be decoded.", "Save the photo again as JPEG or PNG."
        )
    rgb_HW3 = _to_rgb(np.asarray(stored), config.background_rgb)
    return Portrait(np.ascontiguousarray(_upright(rgb_HW3, header.orientation)))


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


def _to_rgb(
    stored: NDArray[np.uint8 | np.uint16], background: tuple[int, int, int]
) -> NDArray[np.uint8]:
    """Return (H, W, 3) uint8 RGB of what OpenCV decodes.

    Args:
        stored: (H, W) grey, (H, W, 3) BGR or (H, W, 4) BGRA with straight alpha; uint8 or uint16.
        background: RGB beneath transparent pixels.
    """
    eight_bit = stored if stored.dtype == np.uint8 else cv2.convertScaleAbs(stored, alpha=1 / 257)
    if eight_bit.ndim == 2:
        return np.asarray(cv2.cvtColor(eight_bit, cv2.COLOR_GRAY2RGB), np.uint8)
    if eight_bit.shape[2] == 3:
        return np.asarray(cv2.cvtColor(eight_bit, cv2.COLOR_BGR2RGB), np.uint8)
    rgba = np.asarray(cv2.cvtColor(eight_bit, cv2.COLOR_BGRA2RGBA), np.uint8)
    return _composited(rgba, np.array(background, np.uint16))


def _composited(rgba_HW4: NDArray[np.uint8], background: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Return (H, W, 3) uint8: colour over background by alpha, rounded to nearest."""
    out = np.empty((*rgba_HW4.shape[:2], 3), np.uint8)
    for top in range(0, len(out), _STRIP_ROWS):  # bounds the 16-bit intermediates
        strip = rgba_HW4[top : top + _STRIP_ROWS].astype(np.uint16)
        colour, alpha = strip[..., :3], strip[..., 3:]
        out[top : top + _STRIP_ROWS] = (colour * alpha + background * (255 - alpha) + 127) // 255
    return out


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
