"""From mesh points and controls to where lips, jaw and corners go, column by column.

B frames, S crop px, X output columns (S of them, centres at .5), J points of a lip path (11).
All lengths are crop px; y grows downwards. Every displacement here is "output minus source".
"""

from typing import Final, NamedTuple

import torch

from app.topology import (
    CHIN,
    INNER_LIP_LOWER,
    INNER_LIP_UPPER,
    OUTER_LIP_LOWER,
    OUTER_LIP_UPPER,
)

NOSE_BASE: Final = 2
MIDDLE: Final = 5

# A crop of app.pipeline.mouth is 1.6 times the distance between the eyes' outer corners wide.
EYES_OF_CROP: Final = 1 / 1.6
# Gaps the mesh reports for lips that touch, as a share of the mouth's width.
TOUCHING: Final = 0.03
# Of the way that closing lips go, and of the way that they open, the upper one makes this much.
UPPER_CLOSING: Final = 0.25
UPPER_OPENING: Final = 0.26
CORNER_DROP: Final = 0.24
CHIN_FOLLOWS: Final = 0.6


class Anatomy(NamedTuple):
    """What the mesh says of the faces at rest; all (B, 1), crop px.

    Attributes:
        middle: x halfway between the mouth's corners.
        half_width: of the mouth.
        corners: mean y of the mouth's corners.
        lip_upper: thickness of the upper lip.
        lip_lower: thickness of the lower lip.
        nose: y under the nose.
        chin: y of the chin.
        reach: distance from the middle at which nothing moves any more.
    """

    middle: torch.Tensor
    half_width: torch.Tensor
    corners: torch.Tensor
    lip_upper: torch.Tensor
    lip_lower: torch.Tensor
    nose: torch.Tensor
    chin: torch.Tensor
    reach: torch.Tensor


class Rig(NamedTuple):
    """How one batch of mouths moves; (B, S) per output column unless it says (B, 1).

    Attributes:
        face: the faces at rest.
        shift_x: horizontal displacement at the lips' height.
        source_upper: the upper lip's lower edge in the photo, at the column itself.
        source_lower: the lower lip's upper edge, likewise.
        upper: where the upper lip's edge goes.
        lower: where the lower lip's edge goes; never above `upper`.
        move_upper: vertical displacement of the upper lip.
        move_lower: vertical displacement of the lower lip.
        move_jaw: vertical displacement at the chin's height.
        contact: in [0, 1], how dark lips that the photo shows apart are where they now meet.
        across: 0 at the mouth's middle, -1 and 1 at its corners in the output.
        seam: (B, 1) y of the mouth's middle where the lips meet.
        jaw: (B, 1) vertical displacement of the chin.
        chin: (B, 1) y of the chin in the output.
        widest: (B, 1) largest gap between the lips.
    """

    face: Anatomy
    shift_x: torch.Tensor
    source_upper: torch.Tensor
    source_lower: torch.Tensor
    upper: torch.Tensor
    lower: torch.Tensor
    move_upper: torch.Tensor
    move_lower: torch.Tensor
    move_jaw: torch.Tensor
    contact: torch.Tensor
    across: torch.Tensor
    seam: torch.Tensor
    jaw: torch.Tensor
    chin: torch.Tensor
    widest: torch.Tensor


def pose_mouth(points_BK2: torch.Tensor, controls_B8: torch.Tensor, size: int) -> Rig:
    """Return how the mouths move.

    Zero controls close an open mouth and leave a closed one alone.

    Args:
        points_BK2: (B, 478, 2) float32, crop px.
        controls_B8: (B, 8) float32 in [0, 1], in the order of `controls.CONTROLS`.
        size: S.
    """
    opening, press, rounding, _, wide, _, _, _ = controls_B8[:, :, None].unbind(dim=1)
    upper_BJ2, lower_BJ2 = points_BK2[:, INNER_LIP_UPPER], points_BK2[:, INNER_LIP_LOWER]
    face = _measure(points_BK2, size)
    half_width, reach = face.half_width, face.reach
    column_X = torch.arange(size, device=points_BK2.device, dtype=points_BK2.dtype) + 0.5
    offset = column_X - face.middle
    stretch = half_width * (0.12 * wide - 0.24 * rounding - 0.12 * opening)
    inner = torch.minimum(0.8 * half_width, 0.5 * reach)
    shift_x = stretch * (offset / half_width) * (1 - ramp(offset.abs(), inner, reach))
    across = (offset - shift_x) / half_width

    own = _edges(upper_BJ2, lower_BJ2, column_X.expand_as(offset), half_width)
    upper, lower = _edges(upper_BJ2, lower_BJ2, column_X - shift_x, half_width)
    widest = opening * (0.075 * EYES_OF_CROP * size + 0.3 * half_width) * (1 - 0.25 * rounding)
    gap = widest * _lens(across, rounding)
    drop = CORNER_DROP * widest * (1 - ramp(across.abs(), 0.6, reach / half_width))
    seam, to_upper, to_lower = _travel(upper, lower, gap, drop)
    # Lips that part turn their rim outwards and hide the line between them; pressed lips roll in.
    rim = press * 0.035 * half_width + (0.15 * gap).clamp_max(size / 200)
    tuck = rim * (1 - ramp(across.abs(), 0.6, 1.0))
    jaw = CHIN_FOLLOWS * _at_middle(to_lower - lower, offset)
    apart = ramp((lower - upper) / half_width, 2 * TOUCHING, 8 * TOUCHING)
    return Rig(
        face=face,
        shift_x=shift_x,
        source_upper=own[0],
        source_lower=own[1],
        upper=to_upper,
        lower=to_lower,
        move_upper=to_upper - upper + tuck,
        move_lower=to_lower - lower - tuck,
        move_jaw=jaw * (1 - ramp(offset.abs(), 0.3 * reach, reach)),
        contact=apart * (1 - ramp(gap, 0.0, size / 64)),
        across=across,
        seam=_at_middle(seam, offset),
        jaw=jaw,
        chin=face.chin + jaw,
        widest=widest,
    )


def _lens(across: torch.Tensor, rounding: torch.Tensor) -> torch.Tensor:
    """Return the outline of an open mouth over its width: 1 at the middle, 0 at the corners."""
    lens = (1 - (across / (1 - 0.22 * rounding)) ** 2).clamp_min(0)
    return lens * (1.25 - 0.25 * lens)


def _travel(
    upper: torch.Tensor, lower: torch.Tensor, gap: torch.Tensor, drop: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the line where the lips would meet, and where the upper and lower edge end up."""
    seam = upper + UPPER_CLOSING * (lower - upper)
    to_upper = seam - UPPER_OPENING * gap + drop
    to_lower = seam + (1 - UPPER_OPENING) * gap + drop
    return seam, to_upper, to_lower


def ramp(
    value: torch.Tensor, low: torch.Tensor | float, high: torch.Tensor | float
) -> torch.Tensor:
    """Return 0 up to `low`, 1 from `high` on, and a smooth rise between."""
    share = ((value - low) / (high - low)).clamp(0.0, 1.0)
    return share * share * (3 - 2 * share)


def _measure(points_BK2: torch.Tensor, size: int) -> Anatomy:
    """Return the faces' lengths; meshes that make no sense get small mouths, never empty ones."""
    left, right = (points_BK2[:, INNER_LIP_UPPER[end], :, None] for end in (0, -1))
    middle = (left[:, 0] + right[:, 0]) / 2
    half_width = ((right[:, 0] - left[:, 0]) / 2).clamp_min(size / 64)
    edge = torch.minimum(middle, size - middle).clamp_min(size / 8)
    return Anatomy(
        middle=middle,
        half_width=half_width,
        corners=(left[:, 1] + right[:, 1]) / 2,
        lip_upper=_thickness(points_BK2, OUTER_LIP_UPPER, INNER_LIP_UPPER, size),
        lip_lower=_thickness(points_BK2, INNER_LIP_LOWER, OUTER_LIP_LOWER, size),
        nose=points_BK2[:, NOSE_BASE, 1, None],
        chin=points_BK2[:, CHIN, 1, None],
        reach=torch.minimum(2.4 * half_width, 0.96 * edge),
    )


def _edges(
    upper_BJ2: torch.Tensor, lower_BJ2: torch.Tensor, at_BX: torch.Tensor, half_width: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return y of both lips' inner edges at columns.

    Lips that touch share the line in their middle. Lips apart give up a little of their rim, so
    that they bring no teeth along when they close.
    """
    upper, lower = _path(upper_BJ2, at_BX), _path(lower_BJ2, at_BX)
    gap, touching = lower - upper, 2 * TOUCHING * half_width
    apart = ramp(gap, touching, 3 * touching)
    slack = torch.minimum(gap, touching) * (0.5 - 0.9 * apart)
    return upper + slack, lower - slack


def _path(points_BJ2: torch.Tensor, at_BX: torch.Tensor) -> torch.Tensor:
    """Return y of a path at columns, (B, X): linear between points, level beyond both ends."""
    x, y = points_BJ2.unbind(dim=2)
    # Points of a turned head may run back a little; each step still has to lead to the right.
    run = (x[:, 1:] - x[:, :-1]).clamp_min(0.25)
    start = torch.cat([x[:, :1], x[:, :1] + run.cumsum(dim=1)[:, :-1]], dim=1)
    done_BXJ = ((at_BX[:, :, None] - start[:, None]) / run[:, None]).clamp(0, 1)
    return y[:, :1] + torch.einsum("bxj,bj->bx", done_BXJ, y[:, 1:] - y[:, :-1])


def _thickness(
    points_BK2: torch.Tensor, above: tuple[int, ...], below: tuple[int, ...], size: int
) -> torch.Tensor:
    """Return (B, 1), the mean height between two paths in the mouth's middle."""
    rows = slice(MIDDLE - 1, MIDDLE + 2)
    height = points_BK2[:, below[rows], 1] - points_BK2[:, above[rows], 1]
    return height.mean(dim=1, keepdim=True).clamp_min(size / 64)


def _at_middle(value_BX: torch.Tensor, offset_BX: torch.Tensor) -> torch.Tensor:
    """Return (B, 1), a column value averaged over the mouth's middle."""
    weight = torch.exp(-0.5 * (offset_BX / (value_BX.shape[1] / 40)) ** 2)
    return (value_BX * weight).sum(dim=1, keepdim=True) / weight.sum(dim=1, keepdim=True)
