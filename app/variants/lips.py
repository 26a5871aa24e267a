"""The lip-sync role: one protocol, whatever the variant."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.values import LipGroup, ModelCard

__all__ = ["LipGroup", "LipModel"]


class LipModel(Protocol):
    """Repaints mouths after speech; crops of several sessions go through the net together."""

    card: ModelCard
    crop_px: int

    def paint(self, items: Sequence[LipGroup]) -> list[NDArray[np.uint8]]:
        """Return the repainted crops, (T, S, S, 3) uint8 RGB, one array per item.

        An item's crops do not depend on the other items (within 1/255 per channel).
        """
        ...
