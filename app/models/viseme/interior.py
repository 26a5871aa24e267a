"""What shows between opened lips: teeth, gums, tongue and darkness, in the portrait's colours.

B frames, C colour channels (3), S crop px, Y rows and X columns of a patch, N = Y * X, J points.
Colours are RGB in [0, 255].
"""

from typing import Final, NamedTuple

import torch
from torch.nn import functional

from app.models.viseme.patch import Patch
from app.models.viseme.rig import EYES_OF_CROP, Columns, Landmarks, Rig, ramp
from app.models.viseme.teeth import Row, cover, lower_row, upper_row

UPPER_SHOWS: Final = 0.026
"""How far upper teeth reach below the line of closed lips, in distances between the eyes."""

FLESH: Final = 0.62
"""How bright flesh inside the mouth is beside the lips, at most: of grey photos, too."""


class Palette(NamedTuple):
    """Colours of the photo's inside of the mouth.

    Attributes:
        parts: (B, 3, 4), of the depth, the tongue, the gums and the teeth.
        own: (B, 1) in [0, 1], how open the photo's own mouth is.
        tilt: (B, 1), how much brighter the image's right cheek is than the left, in [-1, 1].
    """

    parts: torch.Tensor
    own: torch.Tensor
    tilt: torch.Tensor


class Mouth(NamedTuple):
    """Where the parts of mouths are in their patches.

    Attributes:
        unit: (B, 1), crop px of a distance between the eyes, for teeth and tongue.
        place: (B, X), columns, in units from the middle of the teeth.
        bite: (B, X), y of the upper teeth's edges, crop px.
        upper: the upper teeth.
        lower: the lower teeth.
    """

    unit: torch.Tensor
    place: torch.Tensor
    bite: torch.Tensor
    upper: Row
    lower: Row


def palette(image_BCYX: torch.Tensor, marks: Landmarks) -> Palette:
    """Return colours after this photo's lips, skin and teeth: grey stays grey, warm stays warm.

    Args:
        image_BCYX: (B, 3, S, S) float32, the crops.
        marks: of the crops.
    """
    size = image_BCYX.shape[-1]
    lower, upper = marks.inner_lower[:, 3:8], marks.inner_upper[:, 3:8]
    lip_at, teeth_at = (lower + marks.outer_lower[:, 3:8]) / 2, upper + 0.4 * (lower - upper)
    places = torch.cat([marks.left_cheek, marks.right_cheek, lip_at, teeth_at], dim=1)
    left, right, lips_, teeth_ = torch.split(_colours(image_BCYX, places), [2, 2, 5, 5], dim=2)
    left, right, lip = (colour.mean(dim=2) for colour in (left, right, lips_))
    skin = (left + right) / 2
    bright, brighter_left, brighter_right = (_luma(colour) for colour in (skin, left, right))
    tilt = (brighter_right - brighter_left) / (brighter_right + brighter_left).clamp_min(1.0)

    gap = (lower - upper)[:, :, 1].mean(dim=1, keepdim=True) / (EYES_OF_CROP * size)
    own = ramp(gap, 0.03, 0.07)
    pale = 40 + 0.74 * bright
    tooth = pale * (0.1 + 0.9 * skin / bright.clamp_min(1.0))
    # The photo's own teeth, where it shows them: the brightest spot between the lips.
    level, best = _luma(teeth_).max(dim=2)
    brightest = teeth_.gather(2, best[:, None].expand(-1, 3, -1))[:, :, 0]
    tooth = torch.lerp(tooth, brightest, own * ramp(level / pale, 0.6, 0.9))
    # A power deepens the hue, as light does that has crossed flesh more than once.
    hue = lip / lip.amax(dim=1, keepdim=True).clamp_min(1.0)
    flesh = lip * (hue**3).clamp_min(0.3)
    flesh = flesh * (FLESH * _luma(lip) / _luma(flesh).clamp_min(1.0)).clamp_max(1.0)
    parts = torch.stack([flesh, 0.7 * flesh + 0.3 * lip, 0.4 * flesh + 0.6 * lip, tooth], dim=2)
    return Palette(parts, own, tilt)


def paint_interior(
    colours: Palette, rig: Rig, columns: Columns, patch: Patch, size: int
) -> torch.Tensor:
    """Return (B, 3, N) float32, the inside of the mouth, to be seen between the lips only.

    Upper teeth keep their place in the skull; lower ones and the tongue go with the jaw.

    Args:
        colours: of `palette`.
        rig: of `pose_mouth`.
        columns: of the patch.
        patch: where to paint.
        size: S.
    """
    eyes, row = EYES_OF_CROP * size, patch.rows
    mouth = _arrange(rig, patch, eyes)
    below_lip = row - columns.upper[:, None]
    gap = (columns.lower - columns.upper)[:, None]
    light = 0.76 + 0.24 * ramp(below_lip, 0.0, 0.03 * eyes)
    light = light * (0.86 + 0.14 * ramp(gap, 0.0, 0.06 * eyes))
    # Beside teeth that the photo shows, painted ones stand in the same light.
    light = torch.lerp(light, torch.ones_like(light), 0.6 * colours.own[:, :, None])
    tilt = 1 + colours.tilt * columns.across.clamp(-1, 1)
    light = light * ((1 - 0.5 * rig.rounding) * tilt)[:, None]

    soft_px = max(size / 200, 1.0)
    upper = cover(row, mouth.upper, soft_px, 1.0)
    lower = cover(row, mouth.lower, soft_px, -1.0)
    low = lower.tone * (0.78 + 0.12 * ramp(row - mouth.bite[:, None], 0.0, 0.08 * eyes))
    far = upper.clear * lower.clear
    flesh, lit = _tongue(mouth, rig, row, eyes)
    deep = 0.18 + 0.14 * ramp(below_lip, 0.0, 0.15 * eyes)
    # Teeth in the shade take on the red of what surrounds them.
    shade = (1 - far) * (1 - light) * 0.45
    weights = [
        far * (1 - flesh) * deep + shade,
        far * flesh * lit,
        0.8 * light * (upper.gums * upper.tone + upper.clear * lower.gums * low),
        light * (upper.crowns * upper.tone + upper.clear * lower.crowns * low),
    ]
    return torch.bmm(colours.parts, torch.stack(weights, dim=1).flatten(2))


def _arrange(rig: Rig, patch: Patch, eyes: float) -> Mouth:
    """Return where the parts are; `eyes` is their distance in crop px."""
    # Teeth fit the mouth as well as the face: children's are small, smiles show more of them.
    unit = eyes * (rig.face.half_width / (0.28 * eyes)).clamp(0.5, 1.2).sqrt()
    place = (patch.columns + 0.5 - rig.face.philtrum) / unit
    bend = 0.6 * (rig.face.corners - rig.seam) * (place / 0.28) ** 2
    bite = rig.seam + bend + UPPER_SHOWS * unit
    lower = lower_row(place, bite + rig.teeth, unit)
    return Mouth(unit, place, bite, upper_row(place, bite, unit), lower)


def _tongue(
    mouth: Mouth, rig: Rig, row_BY1: torch.Tensor, eyes: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return where the tongue is, and how light, (B, Y, X) in [0, 1].

    It lies half as deep as the lower teeth, or its tip is up behind the upper ones.
    """
    place, unit = mouth.place, mouth.unit
    top = mouth.bite + 0.5 * rig.teeth - (0.03 - 0.25 * place**2) * unit
    raised = mouth.upper.edge + (0.4 * place**2 - 0.01) * unit
    top = (top + rig.tongue * (raised - top).clamp_max(0))[:, None]
    sides = 1 - ramp(place.abs(), 0.12, 0.26)
    groove = 1 - 0.1 * torch.exp(-((place / 0.03) ** 2))
    flesh = ramp(row_BY1 - top, -0.01 * eyes, 0.025 * eyes) * sides[:, None]
    lit = 0.28 + 0.3 * ramp(row_BY1 - top, 0.0, 0.1 * eyes) + 0.25 * rig.tongue[:, None]
    return flesh, lit * groove[:, None]


def _colours(image_BCYX: torch.Tensor, at_BJ2: torch.Tensor) -> torch.Tensor:
    """Return (B, 3, J), the colours at points in crop px."""
    grid = (at_BJ2 * (2 / image_BCYX.shape[-1]) - 1)[:, None]
    seen = functional.grid_sample(image_BCYX, grid, padding_mode="border", align_corners=False)
    return seen[:, :, 0]


def _luma(colours: torch.Tensor) -> torch.Tensor:
    """Return (B, 1, ...), how bright colours (B, 3, ...) are."""
    red, green, blue = colours[:, 0:1], colours[:, 1:2], colours[:, 2:3]
    return 0.299 * red + 0.587 * green + 0.114 * blue
