"""What shows between opened lips: darkness, the upper teeth, a hint of the tongue.

B frames, C colour channels (3), S crop px, Y rows, X columns. Colours are RGB in [0, 255].
"""

from typing import Final

import torch
from torch.nn import functional

from app.models.viseme.rig import EYES_OF_CROP, Rig, ramp
from app.topology import INNER_LIP_LOWER, OUTER_LIP_LOWER

CHEEKS: Final = (205, 425, 187, 411)
"""Mesh points on the cheeks beside the mouth, for the light on the skin."""

LUMA: Final = (0.299, 0.587, 0.114)


def paint_interior(
    image_BCYX: torch.Tensor, points_BK2: torch.Tensor, rig: Rig, row_Y: torch.Tensor
) -> torch.Tensor:
    """Return (B, 3, S, S) float32, the inside of the mouth, to be seen between the lips only.

    Teeth keep their place in the skull, the tongue goes with the lower lip; everything takes its
    colour from this photo's lips and skin, so that grey photos and paintings keep their palette.

    Args:
        image_BCYX: (B, 3, S, S) float32, the crops.
        points_BK2: (B, 478, 2) float32, crop px.
        rig: of `pose_mouth`.
        row_Y: (S, 1) float32, y of the rows' centres.
    """
    size = image_BCYX.shape[-1]
    lips, skin = _lip_colour(image_BCYX, points_BK2), _colour(image_BCYX, points_BK2[:, CHEEKS])
    across, gap = rig.across[:, None], (rig.lower - rig.upper)[:, None]
    below_lip = row_Y - rig.upper[:, None]
    depth = below_lip / gap.clamp_min(1.0)
    middle = (1 - across**2).clamp(0, 1)

    openness = ramp(rig.widest, 0.04 * size, 0.14 * size)[:, :, None]
    tongue = ramp(depth, 0.5, 1.0) * middle * openness
    shade = (0.2 + 0.12 * ramp(depth, 0.0, 0.8) * middle + 0.5 * tongue)[:, None]
    # Squaring deepens the hue, as light does that has crossed flesh twice.
    painted = lips * lips / lips.amax(dim=1, keepdim=True).clamp_min(1.0) * shade

    teeth = _teeth(rig, row_Y, across, size)
    lit = (0.5 + 0.5 * ramp(below_lip, 0.0, 0.015 * size)) * (0.55 + 0.45 * middle)
    lit = lit * (0.55 + 0.45 * ramp(gap, 0.0, 0.05 * size))
    return painted.lerp_(_tooth_colour(skin) * lit[:, None], teeth[:, None])


def _teeth(rig: Rig, row_Y: torch.Tensor, across: torch.Tensor, size: int) -> torch.Tensor:
    """Return (B, S, S) in [0, 1], where the upper teeth are, their lower edge softened."""
    eyes = EYES_OF_CROP * size
    sides = 0.6 * (rig.face.corners - rig.seam)[:, None] * across**2
    edge = rig.seam[:, None] + sides + 0.028 * eyes * (1 - 0.7 * across**2)
    below = ((edge - row_Y) / (size / 128) + 0.5).clamp(0, 1)
    return below * (1 - ramp(across.abs(), 0.5, 0.85))


def _tooth_colour(skin: torch.Tensor) -> torch.Tensor:
    """Return (B, 3, 1, 1): a pale tone, as bright as the light on the skin allows."""
    luma = (skin * skin.new_tensor(LUMA)[:, None, None]).sum(dim=1, keepdim=True)
    pale = 62 + 0.66 * luma
    return pale * (0.5 + 0.5 * skin / luma.clamp_min(1.0))


def _lip_colour(image_BCYX: torch.Tensor, points_BK2: torch.Tensor) -> torch.Tensor:
    """Return (B, 3, 1, 1), the lower lip's colour, halfway between its edges."""
    inner, outer = points_BK2[:, INNER_LIP_LOWER[3:8]], points_BK2[:, OUTER_LIP_LOWER[3:8]]
    return _colour(image_BCYX, (inner + outer) / 2)


def _colour(image_BCYX: torch.Tensor, at_BJ2: torch.Tensor) -> torch.Tensor:
    """Return (B, 3, 1, 1), the mean colour at points in crop px."""
    grid = (at_BJ2 * (2 / image_BCYX.shape[-1]) - 1)[:, None]
    seen = functional.grid_sample(image_BCYX, grid, padding_mode="border", align_corners=False)
    return seen.mean(dim=(2, 3), keepdim=True)
