"""From mesh points and controls to where lips, jaw and corners go, column by column.

B frames, S crop px, X output columns (S of them, centres at .5), J points of a lip path (11).
All lengths are crop px; y grows downwards. Every displacement here is "output minus source".
"""

from collections.abc import Callable, Mapping
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
LEFT_CHEEK: Final = (205, 187)
RIGHT_CHEEK: Final = (425, 411)
"""Points on the cheeks beside the mouth, for the light on the skin."""

LANDMARKS: Final = (
    *(INNER_LIP_UPPER + INNER_LIP_LOWER + OUTER_LIP_UPPER + OUTER_LIP_LOWER),
    *(NOSE_BASE, CHIN, *LEFT_CHEEK, *RIGHT_CHEEK),
)
"""Mesh points that the renderer looks at, in the order of `Landmarks`."""

MIDDLE: Final = 5

# A crop of app.pipeline.mouth is 1.6 times the distance between the eyes' outer corners wide.
EYES_OF_CROP: Final = 1 / 1.6
# Gaps the mesh reports for lips that touch, as a share of the mouth's width.
TOUCHING: Final = 0.03
# Of the way that closing lips go, and of the way that they open, the upper one makes this much.
UPPER_CLOSING: Final = 0.25
UPPER_OPENING: Final = 0.26

# Half-widths of the mouth that a control adds to each side.
WIDER: Final = {"stretch": 0.15, "pucker": -0.3, "funnel": -0.15, "jaw": -0.1}
NARROWEST: Final = -0.38
# Of the distance between the eyes, what a control adds to the gap; the jaw takes the mouth's
# width along, because small mouths open less.
FUNNEL_GAP: Final = 0.065
PUCKER_GAP: Final = 0.014
UPPER_RAISE: Final = 0.034
LOWER_DROP: Final = 0.042
JAW_GAP: Final = (0.11, 0.24)
# Half-widths, in distances between the eyes, of a narrow mouth and of one of usual size. Thin gaps
# of narrow lips are hardly seen; so they part sooner by this share, and no wider in the end.
NARROW: Final = (0.2, 0.32)
SOONER: Final = 0.5
# Of the gap that the jaw makes.
CORNER_DROP: Final = 0.24
CHIN_FOLLOWS: Final = 0.62
TEETH_FOLLOW: Final = 0.8
# Of an open photo's gap that closes, what the chin makes: parted lips tell little of the jaw.
CHIN_CLOSES: Final = 0.45
# What a control adds to the lips' thickness, as a share of it.
THICKER: Final = {"pucker": 0.3, "funnel": 0.22, "stretch": -0.14, "close": -0.12}


class Landmarks(NamedTuple):
    """Points of the faces, crop px: lips (B, 11, 2), nose and chin (B, 1, 2), cheeks (B, 2, 2).

    Attributes:
        inner_upper: the upper lip's lower edge, from the image's left to its right.
        inner_lower: the lower lip's upper edge.
        outer_upper: the upper lip's upper edge.
        outer_lower: the lower lip's lower edge.
        nose: under the nose.
        chin: of the jaw.
        left_cheek: beside the mouth, on the image's left.
        right_cheek: on its right.
    """

    inner_upper: torch.Tensor
    inner_lower: torch.Tensor
    outer_upper: torch.Tensor
    outer_lower: torch.Tensor
    nose: torch.Tensor
    chin: torch.Tensor
    left_cheek: torch.Tensor
    right_cheek: torch.Tensor

    @classmethod
    def of_mesh(cls, points_BK2: torch.Tensor, index_L: torch.Tensor) -> "Landmarks":
        """Return the landmarks of meshes, (B, 478, 2); `index_L` is LANDMARKS as int64."""
        marks = points_BK2.index_select(1, index_L)
        return cls(*torch.split(marks, [11, 11, 11, 11, 1, 1, 2, 2], dim=1))


class Anatomy(NamedTuple):
    """What the mesh says of the faces at rest; all (B, 1), crop px.

    Attributes:
        middle: x halfway between the mouth's corners.
        philtrum: x of the lips' middle, beside `middle` in a turned face.
        half_width: of the mouth.
        corners: mean y of the mouth's corners.
        lip_upper: thickness of the upper lip.
        lip_lower: thickness of the lower lip.
        nose: y under the nose.
        chin: y of the chin.
        reach: distance from the middle at which nothing moves any more.
    """

    middle: torch.Tensor
    philtrum: torch.Tensor
    half_width: torch.Tensor
    corners: torch.Tensor
    lip_upper: torch.Tensor
    lip_lower: torch.Tensor
    nose: torch.Tensor
    chin: torch.Tensor
    reach: torch.Tensor


class Columns(NamedTuple):
    """What differs from column to column; all (B, X).

    Attributes:
        across: 0 at the mouth's middle, -1 and 1 at its corners in the output.
        shift_x: horizontal displacement at the lips' height.
        source_upper: where the photo's own inside of the mouth begins at the column itself.
        source_lower: where it ends.
        upper: where the upper lip's edge goes.
        lower: where the lower lip's edge goes; never above `upper`.
        move_upper: vertical displacement of the upper lip.
        move_lower: vertical displacement of the lower lip.
        move_jaw: vertical displacement at the chin's height.
        contact: in [0, 1], how dark lips that the photo shows apart are where they now meet.
    """

    across: torch.Tensor
    shift_x: torch.Tensor
    source_upper: torch.Tensor
    source_lower: torch.Tensor
    upper: torch.Tensor
    lower: torch.Tensor
    move_upper: torch.Tensor
    move_lower: torch.Tensor
    move_jaw: torch.Tensor
    contact: torch.Tensor

    def resampled(self, pick: Callable[[torch.Tensor], torch.Tensor]) -> "Columns":
        """Return other columns, `pick` being told all attributes at once: (B, 10, X)."""
        return Columns(*pick(torch.stack(self, 1)).unbind(1))


class Rig(NamedTuple):
    """How one batch of mouths moves; (B, 1), crop px, but for the first two.

    Attributes:
        face: the faces at rest.
        columns: what moves how far.
        seam: y of the mouth's middle where the closed lips meet.
        gape: largest gap between the lips.
        jaw: vertical displacement of the chin.
        teeth: vertical displacement of the lower teeth from where they bite.
        swell: by what share of itself the lips' thickness grows, at least -0.5.
        rounding: in [0, 1], how far pucker and funnel bring the lips away from the teeth.
        tongue: the control, in [0, 1].
    """

    face: Anatomy
    columns: Columns
    seam: torch.Tensor
    gape: torch.Tensor
    jaw: torch.Tensor
    teeth: torch.Tensor
    swell: torch.Tensor
    rounding: torch.Tensor
    tongue: torch.Tensor


class _Pose(NamedTuple):
    """The controls by name, each (B, 1) in [0, 1]; see `controls.CONTROLS`."""

    jaw: torch.Tensor
    close: torch.Tensor
    pucker: torch.Tensor
    funnel: torch.Tensor
    stretch: torch.Tensor
    upper: torch.Tensor
    lower: torch.Tensor
    tongue: torch.Tensor

    def weighed(self, weights: Mapping[str, float]) -> torch.Tensor:
        """Return (B, 1), the sum of some controls, weighed."""
        return torch.stack([weights[name] * getattr(self, name) for name in weights]).sum(0)


class _Lips(NamedTuple):
    """Lips' edges by column, (B, S), crop px; `gap_of_jaw` is (B, 1), of the mouth's middle.

    Attributes:
        seam: where they meet if they are closed.
        upper: where the upper edge goes.
        lower: where the lower edge goes.
        gap_of_jaw: what the jaw adds to the gap.
    """

    seam: torch.Tensor
    upper: torch.Tensor
    lower: torch.Tensor
    gap_of_jaw: torch.Tensor


def pose_mouth(marks: Landmarks, controls_B8: torch.Tensor, size: int) -> Rig:
    """Return how the mouths move.

    Zero controls close an open mouth and leave a closed one alone.

    Args:
        marks: float32, crop px.
        controls_B8: (B, 8) float32 in [0, 1], in the order of `controls.CONTROLS`.
        size: S.
    """
    pose = _Pose(*controls_B8[:, :, None].unbind(1))
    face = _measure(marks, size)
    column_X = torch.arange(size, device=controls_B8.device, dtype=torch.float32) + 0.5
    offset = column_X - face.middle
    shift_x = _sideways(offset, face, pose)
    across = (offset - shift_x) / face.half_width

    upper, lower = _edges(marks, column_X - shift_x, face.half_width)
    lips = _part(upper, lower, across, face, pose, size)
    gap = lips.lower - lips.upper
    tuck = _tucked(gap, across, face, pose)
    column_BX = column_X.expand_as(offset)
    chin = CHIN_FOLLOWS * lips.gap_of_jaw + CHIN_CLOSES * _at_middle(lips.seam - lower, offset)
    apart = ramp((lower - upper) / face.half_width, 2 * TOUCHING, 8 * TOUCHING)
    columns = Columns(
        across=across,
        shift_x=shift_x,
        source_upper=_path(marks.inner_upper, column_BX) + TOUCHING * face.half_width,
        source_lower=_path(marks.inner_lower, column_BX),
        upper=lips.upper,
        lower=lips.lower,
        move_upper=lips.upper - upper + tuck,
        move_lower=lips.lower - lower - tuck,
        move_jaw=chin * (1 - ramp(offset.abs(), 0.4 * face.reach, face.reach)),
        contact=apart * (1 - ramp(gap, 0.0, size / 64)),
    )
    return Rig(
        face=face,
        columns=columns,
        seam=_at_middle(lips.seam, offset),
        gape=_at_middle(gap, offset),
        jaw=chin,
        teeth=TEETH_FOLLOW * lips.gap_of_jaw,
        swell=pose.weighed(THICKER),
        rounding=(pose.pucker + pose.funnel).clamp_max(1.0),
        tongue=pose.tongue,
    )


def _sideways(offset: torch.Tensor, face: Anatomy, pose: _Pose) -> torch.Tensor:
    """Return (B, S), horizontal displacement of columns `offset` away from the mouth's middle."""
    reach = torch.minimum((2.4 * face.half_width).clamp_max(0.4 * offset.shape[1]), face.reach)
    inner = torch.minimum(0.8 * face.half_width, 0.5 * reach)
    wider = pose.weighed(WIDER).clamp_min(NARROWEST)
    return wider * offset * (1 - ramp(offset.abs(), inner, reach))


def _tucked(gap: torch.Tensor, across: torch.Tensor, face: Anatomy, pose: _Pose) -> torch.Tensor:
    """Return (B, S), how much of their rims lips hide.

    Lips that part turn their rim outwards and hide the line between them; pressed lips roll in.
    """
    rim = pose.close * 0.035 * face.half_width + (0.15 * gap).clamp_max(gap.shape[1] / 200)
    return rim * (1 - ramp(across.abs(), 0.6, 1.0))


def _part(
    upper: torch.Tensor,
    lower: torch.Tensor,
    across: torch.Tensor,
    face: Anatomy,
    pose: _Pose,
    size: int,
) -> _Lips:
    """Return where edges go that are now at `upper` and `lower`: together where lips are pressed.

    A jaw that drops, and rounded lips, open the mouth like a lens; lips drawn from the teeth open
    it more squarely. With the jaw the whole mouth sinks a little.
    """
    eyes, apart = EYES_OF_CROP * size, 1 - pose.close
    by_jaw = (JAW_GAP[0] * eyes + JAW_GAP[1] * face.half_width) * (1 - 0.3 * pose.pucker)
    by_jaw = by_jaw * _jaw_drop(pose.jaw, face.half_width / eyes) * apart
    by_rounding = FUNNEL_GAP * pose.funnel * (1 - 0.5 * pose.jaw) + PUCKER_GAP * pose.pucker
    rounding = (pose.pucker + pose.funnel).clamp_max(1.0)
    lens = (1 - (across / (1 - 0.22 * rounding)) ** 2).clamp_min(0)
    square = (1 - across**4).clamp_min(0) * apart * eyes

    seam = upper + UPPER_CLOSING * (lower - upper)
    gap = (by_jaw + by_rounding * eyes * apart) * lens
    drop = CORNER_DROP * by_jaw * (1 - ramp(across.abs(), 0.6, face.reach / face.half_width))
    # A lip that a smile has raised already goes no further: nothing of the photo is above it.
    raised = UPPER_RAISE * pose.upper * square * (1 - ramp((lower - upper) / eyes, 0.02, 0.08))
    to_upper = seam + drop - UPPER_OPENING * gap - raised
    to_lower = seam + drop + (1 - UPPER_OPENING) * gap + LOWER_DROP * pose.lower * square
    return _Lips(seam, to_upper, to_lower, by_jaw)


def _jaw_drop(jaw: torch.Tensor, half_width: torch.Tensor) -> torch.Tensor:
    """Return (B, 1) in [0, 1], how far the jaw drops; `half_width` is in eye distances.

    It rises with the control for all mouths, from 0 to 1, for narrow ones most at first.
    """
    sooner = SOONER * (1 - ramp(half_width, *NARROW))
    return jaw * (1 + sooner * (1 - jaw))


def ramp(
    value: torch.Tensor, low: torch.Tensor | float, high: torch.Tensor | float
) -> torch.Tensor:
    """Return 0 up to `low`, 1 from `high` on, and a smooth rise between."""
    share = ((value - low) / (high - low)).clamp(0.0, 1.0)
    return share * share * (3 - 2 * share)


def _measure(marks: Landmarks, size: int) -> Anatomy:
    """Return the faces' lengths; meshes that make no sense get small mouths, never empty ones."""
    left, right = (marks.inner_upper[:, end, :, None] for end in (0, -1))
    middle = ((left[:, 0] + right[:, 0]) / 2).clamp(0, size)
    half_width = ((right[:, 0] - left[:, 0]) / 2).clamp(size / 64, 0.24 * size)
    edge = torch.minimum(middle, size - middle).clamp_min(size / 8)
    return Anatomy(
        middle=middle,
        philtrum=(marks.inner_upper[:, MIDDLE, :1] + marks.inner_lower[:, MIDDLE, :1]) / 2,
        half_width=half_width,
        corners=(left[:, 1] + right[:, 1]) / 2,
        lip_upper=_thickness(marks.outer_upper, marks.inner_upper, size),
        lip_lower=_thickness(marks.inner_lower, marks.outer_lower, size),
        nose=marks.nose[:, :, 1],
        chin=marks.chin[:, :, 1],
        reach=torch.minimum((2.4 * half_width).clamp_min(0.7 * EYES_OF_CROP * size), 0.96 * edge),
    )


def _edges(
    marks: Landmarks, at_BX: torch.Tensor, half_width: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return y of both lips' inner edges at columns.

    Lips that touch share the line in their middle. Lips apart give up a little of their rim, so
    that they bring no teeth along when they close.
    """
    upper, lower = _path(marks.inner_upper, at_BX), _path(marks.inner_lower, at_BX)
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


def _thickness(above_BJ2: torch.Tensor, below_BJ2: torch.Tensor, size: int) -> torch.Tensor:
    """Return (B, 1), the mean height between two paths in the mouth's middle."""
    rows = slice(MIDDLE - 1, MIDDLE + 2)
    height = below_BJ2[:, rows, 1] - above_BJ2[:, rows, 1]
    return height.mean(dim=1, keepdim=True).clamp_min(size / 64)


def _at_middle(value_BX: torch.Tensor, offset_BX: torch.Tensor) -> torch.Tensor:
    """Return (B, 1), a column value averaged over the mouth's middle."""
    weight = torch.exp(-0.5 * (offset_BX / (value_BX.shape[1] / 40)) ** 2)
    return (value_BX * weight).sum(dim=1, keepdim=True) / weight.sum(dim=1, keepdim=True)
