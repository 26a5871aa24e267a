"""How a video says that it is synthetic: in its metadata, and in its picture where asked for.

T frames, H/W pixels.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

TEXT = "AI-generated"
COMMENT = "Synthetic video, made by Digital Human from a person's picture."

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_HEIGHT_SHARE = 0.028
"""Height of the letters as a share of the picture's height."""

_STRIP_SHADE = 0.4
"""What stays of the brightness beneath the letters."""


def metadata(label: str) -> dict[str, str]:
    """Return the container's tags for a `label` setting."""
    return {} if label == "none" else {"comment": COMMENT}


def stamp(pixels_THW3: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return copies of the frames with "AI-generated" in the lower left corner.

    White letters on a darkened strip, so that they can be read on any background.

    Args:
        pixels_THW3: (T, H, W, 3) uint8 RGB; not written to.
    """
    height, width = pixels_THW3.shape[1:3]
    letters = max(8, round(_HEIGHT_SHARE * height))
    scale = cv2.getFontScaleFromHeight(_FONT, letters)
    (text_width, _), _ = cv2.getTextSize(TEXT, _FONT, scale, 1)
    strip_height, strip_width = 2 * letters, min(width, text_width + 2 * letters)
    mask = np.zeros((strip_height, strip_width), np.uint8)
    origin = (letters, strip_height - letters // 2)
    cv2.putText(mask, TEXT, origin, _FONT, scale, 255, 1, cv2.LINE_AA)
    light = mask[:, :, None].astype(np.float32) / 255
    stamped = pixels_THW3.copy()
    strip = stamped[:, height - strip_height :, :strip_width]
    dark = _STRIP_SHADE * strip.astype(np.float32)
    strip[:] = np.rint(dark + (255 - dark) * light).astype(np.uint8)
    return stamped
