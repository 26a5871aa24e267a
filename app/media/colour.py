"""Decoded pictures of any mode to RGB in sRGB.

H/W pixels.
"""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from app.errors import UnsupportedMedia

_PROFILE_MODES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}
"""The mode that a profile's colour space applies to."""

_WIDE_GREYS = ("I;16", "I;16L", "I;16B", "I;16N")


def to_rgb(image: Image.Image, background: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Return (H, W, 3) uint8 RGB, contiguous.

    Colours are brought from the embedded ICC profile to sRGB, 16 bits become 8, and transparency
    is composited in stored (gamma) values, as browsers do.

    Args:
        image: of any mode, decoded.
        background: RGB beneath transparent pixels.

    Raises:
        UnsupportedMedia: samples of more than 16 bits, or a colour space without a conversion.
    """
    profile = image.info.get("icc_profile")
    if image.mode in _WIDE_GREYS:
        image = _narrow(image)
    if image.mode in ("I", "F", "LAB", "HSV"):
        raise UnsupportedMedia(
            "The portrait's pixels are neither RGB, grey nor CMYK of 8 or 16 bits.",
            "Save the photo as an ordinary JPEG or PNG.",
        )
    if image.has_transparency_data:
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
        colour = _in_srgb(image.convert("RGB"), profile)
        image = Image.composite(colour, Image.new("RGB", image.size, background), alpha)
    else:
        image = _in_srgb(image.convert("RGB") if image.mode in ("P", "PA") else image, profile)
    return np.ascontiguousarray(np.asarray(image, np.uint8))


def reduced(image: Image.Image, kept_px: int) -> Image.Image:
    """Return the image made smaller by a whole factor, its longer side still above `kept_px`.

    Each pixel is the mean of a square of pixels, weighted by their alpha.
    """
    factor = max(image.size) // (kept_px + 1)
    if factor < 2:
        return image
    if image.mode in _WIDE_GREYS:
        image = _narrow(image)
    if image.mode in ("1", "P", "PA"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    smaller = image.reduce(factor)
    smaller.info = image.info
    return smaller


def _narrow(image: Image.Image) -> Image.Image:
    """Return 16-bit grey as 8-bit grey, rounded to nearest."""
    wide = np.asarray(image)
    narrow = Image.fromarray(((wide.astype(np.uint32) + 128) // 257).astype(np.uint8))
    narrow.info = {key: image.info[key] for key in ("icc_profile", "exif") if key in image.info}
    return narrow


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return the image as RGB; a profile that is damaged or of another space is passed over."""
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            mode = _PROFILE_MODES.get(source.profile.xcolor_space)
            if mode == "RGB" and image.mode not in ("RGB", "CMYK"):
                image = image.convert("RGB")
            if mode == image.mode:
                target = ImageCms.createProfile("sRGB")
                converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
                return converted or image.convert("RGB")
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass
    return image.convert("RGB")
