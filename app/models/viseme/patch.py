"""The part of a crop in which the mouth's inside may show.

B frames, S crop px, N pixels of a patch of h rows and w columns.
"""

from typing import Final, NamedTuple

import torch

from app.models.viseme.rig import Rig

HEIGHT: Final = 0.34
WIDTH: Final = 0.5
"""Size of a patch as shares of S: the widest mouth, as wide as it opens."""


class Patch(NamedTuple):
    """Where a patch lies.

    Attributes:
        pixels: int64, (B, N), flat indices in the crop.
        columns: int64, (B, w).
        rows: float32, (B, h, 1), y of the rows' centres, crop px.
    """

    pixels: torch.Tensor
    columns: torch.Tensor
    rows: torch.Tensor


def find_patch(rig: Rig, size: int) -> Patch:
    """Return the pixels around mouths: whole ones, so that what is drawn in them does not swim."""
    height, width = round(HEIGHT * size), round(WIDTH * size)
    device = rig.seam.device
    left = (rig.face.middle - width / 2).round().long().clamp(0, size - width)
    # Corners may stand higher or lower than the middle; most of the gap lies below the seam.
    middle = (rig.seam + rig.face.corners) / 2 + 0.3 * rig.gape
    top = (middle - height / 2).round().long().clamp(0, size - height)
    columns = left + torch.arange(width, device=device)
    rows = top + torch.arange(height, device=device)
    pixels = (rows[:, :, None] * size + columns[:, None]).flatten(1)
    return Patch(pixels, columns, rows[:, :, None].float() + 0.5)
