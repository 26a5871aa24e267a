"""Files of photos: which are accepted, and how large they may unfold.

What a file is, its bytes decide. Pillow gets to try only the formats below, none of which runs
another program or opens another file.
"""

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pi_heif
from PIL import Image, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile

from app.errors import AppError, TooLarge, UnsupportedMedia
from app.media.config import MediaConfig

# Bytes per pixel at the peak of decoding and conversion, measured with 12 to 35 megapixels.
_PEAK_BYTES = {
    "JPEG": 4,
    "PNG": 9,
    "WEBP": 17,
    "AVIF": 12,
    "HEIF": 8,
    "GIF": 9,
    "BMP": 9,
    "TIFF": 9,
}
FORMATS = tuple(_PEAK_BYTES)

_KEPT_PX = 2048

_WARNINGS = threading.Lock()


@contextmanager
def opened(data: bytes, config: MediaConfig) -> Iterator[Image.Image]:
    """Open a photo whose size is within the limits, not yet decoded.

    Within the context whatever Pillow raises over damaged bytes becomes UnsupportedMedia.

    Raises:
        TooLarge: more pixels or more bytes when decoded than `config` allows.
        UnsupportedMedia: another format, or a file that is damaged or ends early.
    """
    try:
        with _parsed(data, config) as image:
            yield image
    except AppError:
        raise
    except Exception:
        # Pillow's readers raise what the damage makes of them: OSError, SyntaxError, KeyError,
        # struct.error, zlib.error and more.
        raise UnsupportedMedia(
            "The portrait is damaged or ends early.", "Save the photo again and send that."
        ) from None


def kept_px(config: MediaConfig) -> int:
    """Return what the longer side stays above when a photo is made smaller while decoded."""
    return max(_KEPT_PX, config.max_video_side_px)


def _parsed(data: bytes, config: MediaConfig) -> Image.Image:
    """Return the image, its header read and its size checked."""
    pi_heif.register_heif_opener(thumbnails=False)
    # Pillow warns of, then refuses, what is far above any limit of ours before we see its size.
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            image = Image.open(io.BytesIO(data), formats=FORMATS)
            if image.format == "PNG":
                image.verify()  # the only look at the chunks' checksums; uses the image up
                image = Image.open(io.BytesIO(data), formats=FORMATS)
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            raise _too_large(config) from None
        except UnidentifiedImageError:
            raise UnsupportedMedia(
                "The portrait is not an image of a known format, or its beginning is damaged.",
                f"Send a photo as {', '.join(FORMATS)}; the bytes decide, not the file's name.",
            ) from None
    _check_size(image, config)
    return image


def _check_size(image: Image.Image, config: MediaConfig) -> None:
    width, height = image.size
    if width * height > config.max_pixels:
        raise _too_large(config)
    held = 0
    if isinstance(image, JpegImageFile):
        if image.info.get("progressive"):
            held = width * height * 2 * image.layers  # all coefficients, as int16
        # libjpeg scales by 1/2, 1/4 or 1/8 for less time and memory than all pixels take.
        kept = kept_px(config)
        scale = max((n for n in (1, 2, 4, 8) if max(image.size) // n > kept), default=1)
        image.draft(None, (max(1, width // scale), max(1, height // scale)))
        width, height = image.size
    needed = width * height * _PEAK_BYTES.get(image.format or "", 4)
    if held + needed > config.max_decoded_bytes:
        raise _too_large(config)


def _too_large(config: MediaConfig) -> TooLarge:
    return TooLarge(
        f"The portrait has more than {config.max_pixels / 1e6:g} million pixels, or takes more "
        f"than {config.max_decoded_bytes / 1e6:g} MB of memory when it is decoded.",
        "Send a smaller copy of the photo, or a JPEG of it.",
    )
