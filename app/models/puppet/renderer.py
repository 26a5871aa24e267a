"""The net of the puppet: draws stages in given poses.

B batch, G grid nodes per side, H/W stage px, P eyelid px (padded), L attributes of each (17).
"""

import torch
from torch import nn
from torch.nn import functional

from app.models.puppet import warp
from app.models.puppet.eyelids import SKIN_TO_FOLD

NEWTON_STEPS = 5
BARE_LID = 0.7
LID_TONE = 0.93
LASH_SHADE = 0.4
"""How much of a shut lid shows its own colour, how bright it is, and how dark its lashes are."""


class PuppetNet(nn.Module):
    """Moves and shuts the eyes of a photo, then its brows, and turns its head."""

    def forward(
        self,
        photo_B3HW: torch.Tensor,
        fields_B9GG: torch.Tensor,
        lids_BLP: torch.Tensor,
        slots_BP: torch.Tensor,
        pose_B3: torch.Tensor,
        closure_B2: torch.Tensor,
        gesture_B4: torch.Tensor,
    ) -> torch.Tensor:
        """Return the stages in their poses: (B, H, W, 3) uint8 RGB.

        Args:
            photo_B3HW: the still stages, float32 RGB in [0, 255]; may be expanded views.
            fields_B9GG: of `head.head_fields` and `gestures.gesture_fields`, stage coordinates.
            lids_BLP: of `eyelids.Eyelids`.
            slots_BP: int64, the flat index in H * W of each eyelid pixel; repeats are padding.
            pose_B3: yaw, pitch, roll in degrees.
            closure_B2: how far the left and the right eye of the image are shut, in [0, 1].
            gesture_B4: gaze to the image's right and downwards, degrees away from the photo's;
                how far the brows are raised, in [0, 1]; breath, in [-1, 1].
        """
        height, width = photo_B3HW.shape[2:]
        moved = warp.displacement(fields_B9GG, pose_B3, gesture_B4)
        origins = warp.origins(moved, (height, width))
        grid = functional.interpolate(origins, (height, width), mode="bilinear", align_corners=True)
        blinking = _blink(photo_B3HW, lids_BLP, slots_BP, closure_B2, gesture_B4[:, :2])
        # Bicubic, because a bilinear head would look softer than the still photo around it.
        drawn = functional.grid_sample(
            blinking,
            grid.permute(0, 2, 3, 1),
            mode="bicubic",
            padding_mode="border",
            align_corners=False,
        )
        colours = drawn.add_(0.5).clamp_(0, 255).to(torch.uint8).unbind(1)
        return torch.stack(colours, -1)


def _blink(
    photo_B3HW: torch.Tensor,
    lids_BLP: torch.Tensor,
    slots_BP: torch.Tensor,
    closure_B2: torch.Tensor,
    gaze_B2: torch.Tensor,
) -> torch.Tensor:
    """Return a copy of the photo with its eyes shut and turned as far as is said.

    Below the brow the skin stretches downwards with the lid's edge, which covers the eye; the
    lower lid rises a little. The iris slides beneath the lids, and the white around it gives way.
    """
    height, width = photo_B3HW.shape[2:]
    x, y, down_x, down_y, depth, skin, drop, lift, opening, soft, right = lids_BLP[:, :11].unbind(1)
    closure = torch.lerp(closure_B2[:, :1], closure_B2[:, 1:], right)
    drop, lift = closure * drop, closure * lift
    edge = skin + drop
    upper = _skin_origin(depth, skin, drop)
    across_x, across_y, gives = lids_BLP[:, 14:].unbind(1)
    aside = torch.stack([torch.zeros_like(lift), -gaze_B2[:, :1] * gives], 1)
    shift = torch.stack([upper - depth, lift - gaze_B2[:, 1:] * gives], 1)
    places = torch.stack(
        [
            x[:, None] + shift * down_x[:, None] + aside * across_x[:, None],
            y[:, None] + shift * down_y[:, None] + aside * across_y[:, None],
        ],
        -1,
    )
    found = functional.grid_sample(
        photo_B3HW, places, mode="bicubic", padding_mode="border", align_corners=False
    )
    lid, eye = found.unbind(2)
    beyond = (depth - edge) / soft
    cover = (0.5 - beyond).clamp(0, 1)[:, None]
    # What the lid uncovers was folded away in the photo; stretched lashes would darken it.
    bare = ((depth - 0.75 * skin) / (0.5 * skin)).clamp(0, 1) * (-beyond - 1).clamp(0, 2) / 2
    lid = torch.lerp(
        lid, LID_TONE * lids_BLP[:, 11:14], (BARE_LID * closure * opening * bare)[:, None]
    )
    shade = 1 - LASH_SHADE * closure * opening * torch.exp(-(beyond**2))
    mixed = torch.lerp(eye, lid, cover) * shade[:, None]
    shut = photo_B3HW.flatten(2).clone(memory_format=torch.contiguous_format)
    shut.scatter_(2, slots_BP[:, None].expand(-1, 3, -1), mixed)
    return shut.view(-1, 3, height, width)


def _skin_origin(depth: torch.Tensor, skin: torch.Tensor, drop: torch.Tensor) -> torch.Tensor:
    """Return which depth below the brow the skin now at `depth` comes from, px.

    Skin at depth q * skin moves down by drop * smoothstep(q / SKIN_TO_FOLD): the brow stays and
    the lid's edge keeps its thickness. Newton's method finds q; the sum grows with q throughout.
    """
    q = (depth / (skin + drop)).clamp(0, 1)
    for _ in range(NEWTON_STEPS):
        u = (q / SKIN_TO_FOLD).clamp(max=1)
        error = q * skin + drop * u * u * (3 - 2 * u) - depth
        q = (q - error / (skin + drop * 6 * u * (1 - u) / SKIN_TO_FOLD)).clamp(0, 1)
    inside = (depth > 0) & (depth < skin + drop)
    return torch.where(inside, q * skin, torch.where(depth > 0, depth - drop, depth))
