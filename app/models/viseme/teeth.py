"""Two rows of teeth as they stand in a photo: where their edges and gums are, and their tone.

B frames, Y rows and X columns of a patch. Lengths without a unit are distances between the eyes'
outer corners (about 90 mm); y grows downwards.
"""

from typing import Final, NamedTuple

import torch

from app.models.viseme.rig import ramp

# As seen from the front: where neighbours meet, from the middle outwards, and how tall crowns are.
# Crowns: Wheeler's Dental Anatomy (8.5, 6.5 and 7.5 mm wide above, 5, 5.5 and 7 below), the outer
# ones foreshortened by the arch.
UPPER_MEETINGS: Final = (0.0, 0.092, 0.16, 0.222, 0.262, 0.288)
LOWER_MEETINGS: Final = (0.0, 0.056, 0.115, 0.177, 0.222, 0.252)
UPPER_CROWN: Final = 0.108
LOWER_CROWN: Final = 0.09
OVERBITE: Final = 0.02
"""How far lower teeth stand up behind the upper ones."""

GAP: Final = 0.0055
"""Width of the shade between neighbours."""


class Row(NamedTuple):
    """One row of teeth, by column: (B, X), y in crop px.

    Attributes:
        edge: y of the biting edge.
        gum: y where the crowns end.
        tone: in [0, 1], dark where teeth meet and where the arch turns away.
    """

    edge: torch.Tensor
    gum: torch.Tensor
    tone: torch.Tensor


class Cover(NamedTuple):
    """What a row of teeth covers of a patch, (B, Y, X) in [0, 1].

    Attributes:
        crowns: the teeth.
        gums: above or below them.
        tone: how light either is.
    """

    crowns: torch.Tensor
    gums: torch.Tensor
    tone: torch.Tensor

    @property
    def clear(self) -> torch.Tensor:
        """What the row leaves free."""
        return (1 - self.crowns - self.gums).clamp_min(0)


def upper_row(place: torch.Tensor, bite: torch.Tensor, unit: torch.Tensor) -> Row:
    """Return the upper teeth: lateral incisors a little shorter, edges rounded where they meet.

    Args:
        place: (B, X), how far columns are from the middle of the row.
        bite: (B, X), y of the middle teeth's edges, crop px.
        unit: (B, 1), crop px of a distance of 1.
    """
    away, side = _to_meeting(place, UPPER_MEETINGS), place.abs()
    short = 0.008 * torch.exp(-(((side - 0.126) / 0.028) ** 2)) + 0.35 * (side - 0.2).clamp_min(0)
    edge = -short - 0.007 * (1 - away / 0.024).clamp_min(0) ** 2
    gum = 0.014 * (1 - ramp(away, 0.0, 0.035)) - UPPER_CROWN + 0.16 * side.clamp_max(0.3) ** 2
    tone = _tone(away, side, unit) * (1 - 0.8 * ramp(side, 0.16, 0.3))
    return Row(bite + edge * unit, bite + gum * unit, tone)


def lower_row(place: torch.Tensor, bite: torch.Tensor, unit: torch.Tensor) -> Row:
    """Return the lower teeth: narrower, their edges almost level; `bite` is that of the jaw."""
    away, side = _to_meeting(place, LOWER_MEETINGS), place.abs()
    edge = 0.003 * (1 - away / 0.02).clamp_min(0) ** 2 - OVERBITE
    gum = LOWER_CROWN - 0.01 * (1 - ramp(away, 0.0, 0.03))
    tone = _tone(away, side, unit) * (1 - 0.8 * ramp(side, 0.12, 0.25))
    return Row(bite + edge * unit, bite + gum * unit, tone)


def cover(row_BY1: torch.Tensor, teeth: Row, soft_px: float, up: float) -> Cover:
    """Return what teeth cover, with edges that fade over `soft_px`.

    Args:
        row_BY1: y of rows, crop px.
        teeth: one row.
        soft_px: crop px.
        up: 1 for upper teeth, -1 for lower ones.
    """
    edge, gum = teeth.edge[:, None], teeth.gum[:, None]
    covered = (0.5 - up * (row_BY1 - edge) / soft_px).clamp(0, 1)
    gums = (0.5 - up * (row_BY1 - gum) / (2 * soft_px)).clamp(0, 1)
    along = ((row_BY1 - gum) / (edge - gum)).clamp(0, 1)
    tone = teeth.tone[:, None] * (0.88 + 0.12 * along - 0.08 * ramp(along, 0.85, 1.0))
    return Cover(covered * (1 - gums), covered * gums, tone)


def _to_meeting(place: torch.Tensor, meetings: tuple[float, ...]) -> torch.Tensor:
    """Return the distance from where two teeth meet, (B, X)."""
    return torch.stack([(place.abs() - meeting).abs() for meeting in meetings]).amin(dim=0)


def _tone(away: torch.Tensor, side: torch.Tensor, unit: torch.Tensor) -> torch.Tensor:
    """Return how light teeth are; lines between them fade where pixels are too coarse."""
    width = (1 / unit).clamp_min(GAP)
    line = 0.16 * (GAP / width) * torch.exp(-((away / width) ** 2))
    return (1 - line) * (0.94 + 0.06 * ramp(away, 0.0, 0.03))
