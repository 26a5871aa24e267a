"""Pictures as LivePortrait's nets take and give them.

T frames, H/W pixels, S net input px (256). Source: LivePortrait@1986663
src/live_portrait_wrapper.py, src/utils/io.py.
"""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

INPUT_PX: Final = 256


def to_inputs(crops: Sequence[Pixels]) -> Floats:
    """Return crops as the nets' input, (T, 3, 256, 256) float32, RGB in [0, 1].

    Args:
        crops: T of (S, S, 3) uint8 RGB, of any side; averaged over pixels where they shrink.
    """
    small = np.empty((len(crops), INPUT_PX, INPUT_PX, 3), np.uint8)
    for crop, place in zip(crops, small, strict=True):
        shrinks = crop.shape[0] > INPUT_PX
        way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        cv2.resize(crop, (INPUT_PX, INPUT_PX), dst=place, interpolation=way)
    return np.ascontiguousarray(small.transpose(0, 3, 1, 2), np.float32) / np.float32(255)


def to_pictures(outputs: Floats) -> Pixels:
    """Return the decoder's frames as (T, H, W, 3) uint8 RGB.

    Args:
        outputs: (T, 3, H, W) float32 RGB; beyond [0, 1] they are clipped, and what a level has
            beyond whole numbers is cut, as published.
    """
    levels = outputs.clip(0, 1) * np.float32(255)
    return np.ascontiguousarray(levels.astype(np.uint8).transpose(0, 2, 3, 1))


def limited_size(height: int, width: int, max_side: int, division: int) -> tuple[int, int]:
    """Return the height and width that a source picture is resized to.

    Args:
        height: > 0 px.
        width: > 0 px.
        max_side: the longer side's limit, px; 0 has none.
        division: both sides become multiples of it, by cutting; > 0.

    Note: as published, a picture with a side shorter than `division` keeps both sides as the
    limit left them.
    """
    longer = max(height, width)
    if 0 < max_side < longer:
        height, width = (side * max_side // longer for side in (height, width))
    cut = height - height % division, width - width % division
    return cut if min(cut) > 0 else (height, width)
