"""How far a head may turn in its photo before the picture around it would fold.

P extreme poses (8), G grid nodes per side (64), C corners of a grid cell.
"""

from itertools import product

import torch

from app.models.puppet import warp

LEAST_AREA = 0.12
"""No cell of the grid shrinks below this share of its area."""

SHARES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4)


def freedom(fields_9GG: torch.Tensor, size: tuple[int, int]) -> float:
    """Return the share of all turns that folds nothing: 1 but near the photo's borders.

    Args:
        fields_9GG: of `warp.displacement`.
        size: H and W of the stage, px.
    """
    signs = torch.tensor(list(product((-1.0, 1.0), repeat=3)))
    pose_P3 = signs * torch.tensor(warp.POSE_LIMIT_DEG)
    fields = fields_9GG.expand(len(pose_P3), *fields_9GG.shape)
    moved_P2GG = warp.displacement(fields, pose_P3, torch.zeros(len(pose_P3), 4))
    steady = (share for share in SHARES if least_area(share * moved_P2GG, size) > LEAST_AREA)
    return next(steady, SHARES[-1])


def least_area(moved_P2GG: torch.Tensor, size: tuple[int, int]) -> float:
    """Return the area of the cell that a displacement shrinks most, over its area at rest.

    Args:
        moved_P2GG: of `warp.displacement`.
        size: H and W of the stage, px.
    """
    height, width = size
    cells = moved_P2GG.shape[-1] - 1
    step_x, step_y = 2 * (1 - 1 / width) / cells, 2 * (1 - 1 / height) / cells
    by_x, by_y = moved_P2GG.diff(dim=3) / step_x, moved_P2GG.diff(dim=2) / step_y
    sides = (slice(None, -1), slice(1, None))
    areas = [
        (1 + by_x[:, 0, rows]) * (1 + by_y[:, 1, :, columns])
        - by_x[:, 1, rows] * by_y[:, 0, :, columns]
        for rows, columns in product(sides, sides)
    ]
    return float(torch.stack(areas).min())
