"""The mouth renderer: warps both lips apart or together and paints what shows between.

B frames, C colour channels (3), S crop px, Y rows, X columns, K mesh points (478), G coarse grid
nodes per side, N pixels of a patch of h rows and w columns.
"""

import math
from typing import Final

import torch
from torch import nn
from torch.nn import functional

from app.models.viseme.interior import Palette, paint_interior, palette
from app.models.viseme.patch import Patch, find_patch
from app.models.viseme.rig import LANDMARKS, Columns, Landmarks, Rig, pose_mouth, ramp

COARSE_PX: Final = 4
"""Crop px per node of the grid on which displacements are computed: they are smooth on each side
of the line between the lips."""


class MouthRenderer(nn.Module):
    """Draws mouths after controls: the photo, pulled apart between the lips, and its inside.

    Pixels above the line between the lips follow one smooth displacement, those below another;
    the two agree beyond the mouth's corners, so nothing tears there. A mouth that is open in the
    photo keeps its own teeth.
    """

    landmarks: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("landmarks", torch.tensor(LANDMARKS), persistent=False)

    def forward(
        self, crops_BYXC: torch.Tensor, points_BK2: torch.Tensor, controls_B8: torch.Tensor
    ) -> torch.Tensor:
        """Return the crops with moved mouths, (B, S, S, 3) uint8 RGB.

        Args:
            crops_BYXC: (B, S, S, 3) uint8 RGB, cut by app.pipeline.mouth.
            points_BK2: (B, 478, 2) float32, mesh points, crop px.
            controls_B8: (B, 8) float32 in [0, 1], in the order of `controls.CONTROLS`; zeros
                close the mouth, and give back the very crop if it is closed already.
        """
        size = crops_BYXC.shape[1]
        image_BCYX = crops_BYXC.permute(0, 3, 1, 2).contiguous().float()
        marks = Landmarks.of_mesh(points_BK2, self.landmarks)
        rig = pose_mouth(marks, controls_B8, size)
        drawn = functional.grid_sample(
            image_BCYX, _origins(rig, size), padding_mode="border", align_corners=False
        )
        flat_BCS = drawn.flatten(2)
        patch = find_patch(rig, size)
        index = patch.pixels[:, None].expand(-1, 3, -1)
        own, lips = (pixels.gather(2, index) for pixels in (image_BCYX.flatten(2), flat_BCS))
        colours = palette(image_BCYX, marks)
        flat_BCS.scatter_(2, index, _mouth(own, lips, colours, rig, patch, size))
        bytes_ = flat_BCS.add_(0.5).clamp_(0, 255).to(torch.uint8).view_as(drawn)
        return torch.stack(bytes_.unbind(1), -1)


def _origins(rig: Rig, size: int) -> torch.Tensor:
    """Return where each pixel comes from, (B, S, S, 2), x and y of `grid_sample`."""
    cells = math.ceil(size / COARSE_PX)
    centre_S = torch.arange(size, device=rig.seam.device, dtype=torch.float32) + 0.5
    row_Y1 = torch.arange(cells + 1, device=rig.seam.device)[:, None] * float(COARSE_PX)
    coarse = rig.columns.resampled(lambda all_: _at_nodes(all_, cells))
    x = coarse.shift_x[:, None] * _lip_height(rig, row_Y1)
    upper, lower = (
        _upsampled(torch.stack([x, y], -1) * (-2 / size))[:, :size, : 2 * size]
        for y in (_upper_field(rig, coarse, row_Y1), _lower_field(rig, coarse, row_Y1, size))
    )
    # x and y lie side by side, as `grid_sample` takes them; so nothing is copied to interleave.
    line_BX = ((rig.columns.upper + rig.columns.lower) / 2).repeat_interleave(2, dim=1)
    origins = torch.where(centre_S[:, None] < line_BX[:, None], upper, lower)
    still = centre_S * (2 / size) - 1
    still_YX2 = torch.stack(torch.meshgrid(still, still, indexing="xy"), -1)
    return origins.reshape(-1, size, size, 2).add_(still_YX2)


def _at_nodes(columns_BAX: torch.Tensor, cells: int) -> torch.Tensor:
    """Return (B, A, G), columns averaged around nodes at multiples of `COARSE_PX`."""
    spare = cells * COARSE_PX - columns_BAX.shape[2] + COARSE_PX // 2
    padded = functional.pad(columns_BAX, (COARSE_PX // 2, spare), mode="replicate")
    return padded.view(*padded.shape[:2], cells + 1, COARSE_PX).mean(dim=3)


def _upsampled(nodes_BGG2: torch.Tensor) -> torch.Tensor:
    """Return (B, Y, 2 X), values at the centres of pixels, bilinear between nodes."""
    share = torch.arange(COARSE_PX, device=nodes_BGG2.device, dtype=torch.float32) + 0.5
    share = share[:, None] / COARSE_PX
    left, right = nodes_BGG2[:, :, :-1, None], nodes_BGG2[:, :, 1:, None]
    lines_BGX = torch.lerp(left, right, share).flatten(2)
    return torch.lerp(lines_BGX[:, :-1, None], lines_BGX[:, 1:, None], share).flatten(1, 2)


def _lip_height(rig: Rig, row_Y1: torch.Tensor) -> torch.Tensor:
    """Return (B, Y, 1), how much of the sideways shift each row takes: all of it at the lips."""
    top = torch.minimum(rig.seam, rig.face.corners) - rig.face.lip_upper - 0.22 * rig.gape
    bottom = torch.maximum(rig.seam, rig.face.corners) + rig.face.lip_lower + rig.gape
    room = torch.maximum(top - rig.face.nose, 0.25 * rig.face.half_width)
    above = ramp(top[:, :, None] - row_Y1, 0.0, room[:, :, None])
    below = ramp(row_Y1 - bottom[:, :, None], 0.0, 1.2 * rig.face.half_width[:, :, None])
    return (1 - above) * (1 - below)


def _upper_field(rig: Rig, columns: Columns, row_Y1: torch.Tensor) -> torch.Tensor:
    """Return (B, Y, X), vertical displacement above the lips: none from the nose upwards."""
    above = columns.upper[:, None] - row_Y1
    room = (rig.seam - rig.face.nose).clamp_min(1.0)
    still = torch.maximum(0.95 * room, 1.6 * rig.face.lip_upper)[:, :, None]
    lip = torch.minimum(0.7 * rig.face.lip_upper, 0.3 * room)[:, :, None]
    swollen = _swelling(rig, columns) * torch.minimum(above.clamp_min(0), 1.4 * lip)
    return (columns.move_upper[:, None] - swollen) * (1 - ramp(above, lip, still))


def _lower_field(rig: Rig, columns: Columns, row_Y1: torch.Tensor, size: int) -> torch.Tensor:
    """Return (B, Y, X), vertical displacement below the lips: lip, then jaw, then none."""
    below = row_Y1 - columns.lower[:, None]
    chin_y = rig.face.chin + rig.jaw
    chin = (chin_y - rig.seam).clamp_min(size / 16)
    lip = torch.minimum(rig.face.lip_lower, 0.4 * chin)[:, :, None]
    jaw = ramp(below, lip, chin[:, :, None])
    swollen = _swelling(rig, columns) * torch.minimum(below.clamp_min(0), lip)
    move_lip = columns.move_lower[:, None] + swollen
    moved = move_lip + jaw * (columns.move_jaw[:, None] - move_lip)
    # Steeper than this, the skin under a dropping chin would fold over.
    room = (2.2 * rig.jaw.abs()).clamp_min(0.07 * size)
    floor = torch.minimum(chin_y + 0.01 * size, 0.97 * size - room)
    return moved * (1 - ramp(row_Y1, floor[:, :, None], (floor + room)[:, :, None]))


def _swelling(rig: Rig, columns: Columns) -> torch.Tensor:
    """Return (B, 1, X), by what share of itself the lips' thickness grows."""
    return (rig.swell * (1 - ramp(columns.across.abs(), 0.6, 1.1)))[:, None]


def _mouth(
    own_BCN: torch.Tensor,
    lips_BCN: torch.Tensor,
    colours: Palette,
    rig: Rig,
    patch: Patch,
    size: int,
) -> torch.Tensor:
    """Return the patch's pixels, (B, 3, N): lips, and between them the mouth's inside."""
    index = patch.columns[:, None].expand(-1, len(rig.columns), -1)
    columns = rig.columns.resampled(lambda all_: all_.gather(2, index))
    row = patch.rows
    inside = paint_interior(colours, rig, columns, patch, size)
    # The photo's own inside of the mouth, where it shows one.
    soft = size / 160
    top, bottom = columns.source_upper[:, None], columns.source_lower[:, None]
    shown = ((row - top) / soft).clamp(0, 1) * ((bottom - row) / soft).clamp(0, 1)
    inside.lerp_(own_BCN, (shown * colours.own[:, :, None]).flatten(1)[:, None])

    blur = _blur(columns, max(size / 160, 1.0))
    # An edge is blended on the lip's side of it: beyond it the lip's layer shows what lay there.
    room = torch.minimum((columns.lower - columns.upper)[:, None] / 4, blur / 2)
    upper, lower = columns.upper[:, None] - room, columns.lower[:, None] + room
    ends = torch.minimum(lower, row + blur / 2) - torch.maximum(upper, row - blur / 2)
    # Towards the corners lips meet behind the edge that is seen: no sharp dark wedge there.
    meeting = 0.85 * ramp(columns.across.abs(), 0.8, 1.0)[:, None]
    seen = (ends / blur).clamp(0, 1) * (1 - meeting)
    line = (1 - (row - upper).abs() / (size / 80)).clamp_min(0) * columns.contact[:, None]
    drawn = torch.lerp(lips_BCN, inside, seen.flatten(1)[:, None])
    dark = 0.3 * colours.parts[:, :, :1]
    return drawn.lerp_(dark, (0.32 * line).flatten(1)[:, None])


def _blur(columns: Columns, level_px: float) -> torch.Tensor:
    """Return (B, 1, X), over how many px of height edges fade: the more, the steeper they are."""
    edges = torch.stack([columns.upper, columns.lower], 1)
    slope = functional.pad((edges[:, :, 2:] - edges[:, :, :-2]).abs(), (1, 1)) / 2
    return level_px * (1 + slope.amax(dim=1, keepdim=True).clamp_max(3.0))
