"""How far a pose moves each place of a stage, and where the content of each place comes from.

B batch, G grid nodes per side, N places, H/W stage px. Displacements and places are in stage
coordinates: x and y in [-1, 1] from edge to edge of the stage, as in torch's grid_sample.
"""

import torch
from torch.nn import functional

POSE_LIMIT_DEG = (15.0, 10.0, 12.0)
"""Largest yaw, pitch and roll; poses beyond are clamped."""

INVERSIONS = 14


def turn(pose_B3: torch.Tensor) -> torch.Tensor:
    """Return the first two rows of the head's rotation, less the identity: (B, 2, 3).

    Args:
        pose_B3: yaw, pitch and roll in degrees, signs as in `app.values.Motion`; clamped.
    """
    limit = torch.tensor(POSE_LIMIT_DEG, device=pose_B3.device)
    sin_B3, cos_B3 = (angle := torch.deg2rad(pose_B3.clamp(-limit, limit))).sin(), angle.cos()
    (sin_y, sin_p, sin_r), (cos_y, cos_p, cos_r) = sin_B3.unbind(1), cos_B3.unbind(1)
    # Pitch first, then yaw, then roll in the image plane.
    x = torch.stack([cos_y, -sin_y * sin_p, -sin_y * cos_p], 1)
    y = torch.stack([torch.zeros_like(cos_p), cos_p, -sin_p], 1)
    row_x = cos_r[:, None] * x - sin_r[:, None] * y
    row_y = sin_r[:, None] * x + cos_r[:, None] * y
    return torch.stack([row_x, row_y], 1) - torch.eye(3, device=pose_B3.device)[:2]


def displacement(
    fields_B9GG: torch.Tensor, pose_B3: torch.Tensor, gesture_B4: torch.Tensor
) -> torch.Tensor:
    """Return how far each grid node moves: (B, 2, G, G), stage coordinates.

    Args:
        fields_B9GG: of `app.models.puppet.head.head_fields` and, after them, of
            `app.models.puppet.gestures.gesture_fields`.
        pose_B3: degrees.
        gesture_B4: of `PuppetNet.forward`; gaze moves no node.
    """
    turned = torch.einsum("bij,bjhw->bihw", turn(pose_B3), fields_B9GG[:, :3])
    lifts_BKJGG = fields_B9GG[:, 5:].reshape(-1, 2, 2, *fields_B9GG.shape[2:])
    raised = torch.einsum("bk,bkjhw->bjhw", gesture_B4[:, 2:], lifts_BKJGG)
    return turned * fields_B9GG[:, 3:5] + raised


def look_up(
    nodes_BCGG: torch.Tensor, places_BN2: torch.Tensor, size: tuple[int, int]
) -> torch.Tensor:
    """Return values between grid nodes, (B, C, N).

    Args:
        nodes_BCGG: values at the nodes; the outermost lie on the centres of the outermost pixels.
        places_BN2: stage coordinates.
        size: H and W.
    """
    height, width = size
    stretch = torch.tensor([width / (width - 1), height / (height - 1)], device=places_BN2.device)
    grid = (places_BN2 * stretch)[:, None]
    return functional.grid_sample(nodes_BCGG, grid, padding_mode="border", align_corners=True)[
        :, :, 0
    ]


def origins(moved_B2GG: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Return where the content of each grid node comes from: (B, 2, G, G), stage coordinates.

    Solves s + d(s) = p for s by fixed-point iteration, which converges as d's slope is below 1.

    Args:
        moved_B2GG: d at the nodes.
        size: H and W.
    """
    height, width = size
    grid, device = moved_B2GG.shape[-1], moved_B2GG.device
    x = torch.linspace(1 / width - 1, 1 - 1 / width, grid, device=device)
    y = torch.linspace(1 / height - 1, 1 - 1 / height, grid, device=device)
    nodes = torch.stack(torch.meshgrid(x, y, indexing="xy"))
    places = nodes - moved_B2GG
    for _ in range(INVERSIONS):
        flat = places.flatten(2).transpose(1, 2)
        places = nodes - look_up(moved_B2GG, flat, size).view_as(moved_B2GG)
    return places
