"""Frames as JPEG files.

T frames, H/W pixels.
"""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.media.label import COMMENT, stamp


def encode_jpegs(pixels_THW3: NDArray[np.uint8], quality: int, label: str) -> list[bytes]:
    """Return each frame as a JPEG, which says that it is synthetic as a video does.

    Args:
        pixels_THW3: (T, H, W, 3) uint8 RGB; not written to.
        quality: 1 to 95, libjpeg's scale.
        label: "visible", "metadata" or "none", as the setting `media.label`.
    """
    if label == "visible":
        pixels_THW3 = stamp(pixels_THW3)
    comment = b"" if label == "none" else COMMENT.encode()
    return [_encoded(pixels_HW3, quality, comment) for pixels_HW3 in pixels_THW3]


def _encoded(pixels_HW3: NDArray[np.uint8], quality: int, comment: bytes) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels_HW3).save(file, "JPEG", quality=quality, comment=comment)
    return file.getvalue()
