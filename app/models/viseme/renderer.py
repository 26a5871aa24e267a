"""The mouth renderer: warps both lips apart or together and paints what shows between.

B frames, C colour channels (3), S crop px, Y rows, X columns, K mesh points (478).
"""

import torch
from torch import nn
from torch.nn import functional

from app.models.viseme.interior import paint_interior
from app.models.viseme.rig import Rig, pose_mouth, ramp


class MouthRenderer(nn.Module):
    """Draws mouths after controls: two layers of the photo and the mouth's inside.

    The upper layer holds all above the line between the lips, the lower one all below. Each is
    the photo, pulled back along a smooth displacement; they agree beyond the mouth's corners,
    so nothing tears there. A mouth that is open in the photo keeps its own teeth.
    """

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
        rig = pose_mouth(points_BK2, controls_B8, size)
        row_Y = (torch.arange(size, device=image_BCYX.device, dtype=torch.float32) + 0.5)[:, None]

        column_BYX = row_Y.T - rig.shift_x[:, None] * _lip_height(rig, row_Y)
        upper = _sample(image_BCYX, column_BYX, row_Y - _upper_field(rig, row_Y))
        lower = _sample(image_BCYX, column_BYX, row_Y - _lower_field(rig, row_Y, size))

        soft = size / 180
        is_upper = ((rig.upper[:, None] - row_Y) / soft + 0.5).clamp(0, 1)[:, None]
        is_lower = ((row_Y - rig.lower[:, None]) / soft + 0.5).clamp(0, 1)[:, None]
        inside = _inside(image_BCYX, points_BK2, rig, row_Y)
        # Towards the corners lips meet behind the edge that is seen: no sharp dark wedge there.
        meeting = 0.85 * ramp(rig.across.abs(), 0.72, 1.0)[:, None, None]
        # In place: on a CPU fresh memory for a batch costs more than the arithmetic.
        inside.lerp_(upper, meeting)
        upper.sub_(inside)
        lower.sub_(inside)
        drawn = inside.addcmul_(is_upper, upper).addcmul_(is_lower, lower)
        line = (1 - (row_Y - rig.upper[:, None]).abs() / (size / 100)).clamp_min(0)
        drawn.mul_(1 - 0.35 * (line * rig.contact[:, None])[:, None])
        return drawn.round_().clamp_(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def _lip_height(rig: Rig, row_Y: torch.Tensor) -> torch.Tensor:
    """Return (B, S, 1), how much of the sideways shift each row takes: all of it at the lips."""
    top = torch.minimum(rig.seam, rig.face.corners) - rig.face.lip_upper - 0.22 * rig.widest
    bottom = torch.maximum(rig.seam, rig.face.corners) + rig.face.lip_lower + rig.widest
    room = torch.maximum(top - rig.face.nose, 0.25 * rig.face.half_width)
    above = ramp(top[:, :, None] - row_Y, 0.0, room[:, :, None])
    below = ramp(row_Y - bottom[:, :, None], 0.0, 1.2 * rig.face.half_width[:, :, None])
    return (1 - above) * (1 - below)


def _upper_field(rig: Rig, row_Y: torch.Tensor) -> torch.Tensor:
    """Return (B, S, S), vertical displacement of the upper layer: none from the nose upwards."""
    above = rig.upper[:, None] - row_Y
    room = (rig.seam - rig.face.nose).clamp_min(1.0)
    still = torch.maximum(0.95 * room, 1.6 * rig.face.lip_upper)[:, :, None]
    lip = torch.minimum(0.7 * rig.face.lip_upper, 0.3 * room)[:, :, None]
    return rig.move_upper[:, None] * (1 - ramp(above, lip, still))


def _lower_field(rig: Rig, row_Y: torch.Tensor, size: int) -> torch.Tensor:
    """Return (B, S, S), vertical displacement of the lower layer: lip, then jaw, then none."""
    below = row_Y - rig.lower[:, None]
    chin = (rig.chin - rig.seam).clamp_min(size / 16)
    lip = torch.minimum(rig.face.lip_lower, 0.4 * chin)[:, :, None]
    jaw = ramp(below, lip, chin[:, :, None])
    move_lip = rig.move_lower[:, None]
    moved = move_lip + jaw * (rig.move_jaw[:, None] - move_lip)
    # Steeper than this, the skin under a dropping chin would fold over.
    room = torch.maximum(2.2 * rig.jaw.abs(), rig.jaw.new_tensor(0.07 * size))
    floor = torch.minimum(rig.chin + 0.01 * size, 0.97 * size - room)
    return moved * (1 - ramp(row_Y, floor[:, :, None], (floor + room)[:, :, None]))


def _inside(
    image_BCYX: torch.Tensor, points_BK2: torch.Tensor, rig: Rig, row_Y: torch.Tensor
) -> torch.Tensor:
    """Return (B, 3, S, S): the photo's own inside of the mouth where it shows one, else painted."""
    soft = image_BCYX.shape[-1] / 100
    top, bottom = rig.source_upper[:, None], rig.source_lower[:, None]
    own = ((row_Y - top) / soft).clamp(0, 1) * ((bottom - row_Y) / soft).clamp(0, 1)
    painted = paint_interior(image_BCYX, points_BK2, rig, row_Y)
    return painted.lerp_(image_BCYX, own[:, None])


def _sample(image_BCYX: torch.Tensor, x_BYX: torch.Tensor, y_BYX: torch.Tensor) -> torch.Tensor:
    """Return the image at positions in px, bilinear; border pixels repeat outside it."""
    grid = torch.stack([x_BYX, y_BYX], dim=3) * (2 / image_BCYX.shape[-1]) - 1
    return functional.grid_sample(image_BCYX, grid, padding_mode="border", align_corners=False)
