"""What goes into the stitching and retargeting nets, and what becomes of their answers.

The nets are passed in as functions. T frames, K key points (21); a net's arrays are (T, n)
float32. Source: LivePortrait@1986663 src/live_portrait_wrapper.py.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.variants.liveportrait.pose import KEY_POINTS

Floats = NDArray[np.float32]
Net = Callable[[Floats], Floats]


@dataclass(frozen=True, slots=True)
class Retargeting:
    """The three small nets that move key points.

    Attributes:
        stitching: (T, 126) to (T, 65), keeps the shoulders where they are.
        eyes: (T, 66) to (T, 63), opens and shuts both eyes.
        lips: (T, 65) to (T, 63), opens and shuts the lips.
    """

    stitching: Net
    eyes: Net
    lips: Net

    def stitched(self, source_TK3: Floats, driven_TK3: Floats) -> Floats:
        """Return key points whose crop fits into the photo again: (T, 21, 3) float32.

        Args:
            source_TK3: (T or 1, 21, 3) float32, the source's posed key points.
            driven_TK3: (T, 21, 3) float32.
        """
        answer = self.stitching(_flat(len(driven_TK3), source_TK3, driven_TK3))
        stitched = driven_TK3 + answer[:, :-2].reshape(-1, KEY_POINTS, 3)
        stitched[:, :, :2] += answer[:, None, -2:]
        return stitched

    def eye_changes(self, source_TK3: Floats, ratios_T3: Floats) -> Floats:
        """Return (T, 21, 3) float32, to be added to key points.

        Args:
            source_TK3: (T or 1, 21, 3) float32, the source's posed key points (not canonical).
            ratios_T3: (T, 3) float32, of `ratios.eye_inputs`.
        """
        return self.eyes(_flat(len(ratios_T3), source_TK3, ratios_T3)).reshape(-1, KEY_POINTS, 3)

    def lip_changes(self, source_TK3: Floats, ratios_T2: Floats) -> Floats:
        """Return (T, 21, 3) float32; as `eye_changes`, with (T, 2) of `ratios.lip_inputs`."""
        return self.lips(_flat(len(ratios_T2), source_TK3, ratios_T2)).reshape(-1, KEY_POINTS, 3)


def _flat(frames: int, *parts: Floats) -> Floats:
    """Return parts side by side, one row per frame; a part of one frame serves all."""
    rows = [part.reshape(len(part), math.prod(part.shape[1:])) for part in parts]
    wide = [np.broadcast_to(row, (frames, row.shape[1])) for row in rows]
    return np.concatenate(wide, axis=1, dtype=np.float32)
