"""Where brows rise and where breath lifts the body: displacements on the head's grid.

K mesh points (478), G grid nodes per side (64).
"""

import numpy as np
from numpy.typing import NDArray

from app import topology
from app.models.puppet.head import HeadFrame, Places, border_factors, grid_nodes, smoothstep

Array = NDArray[np.floating]

BROW_RISE = 0.02
"""How far raised brows rise, in heights of the face from forehead to chin."""

BROW_ABOVE = 0.14
"""How far above the brow the forehead follows, in the same unit."""

BREATH_RISE = 0.0055
"""How far a full breath lifts the shoulders, in the same unit; the head goes half as far."""

BREATH_REACH = 1.5
"""Where breath ends, as a multiple of the head's ellipse."""


def gesture_fields(places: Places) -> NDArray[np.float32]:
    """Return how raised brows and a full breath move each grid node.

    Returns:
        (4, G, G) float32, stage coordinates: x and y for the brows, x and y for breath; both 0
        at those borders of the photo that lie across the movement.
    """
    points, frame = places.points, places.frame
    x, y = grid_nodes(places.stage)
    keep_x, keep_y = border_factors(places)
    rises = (_brows(points, frame, x, y), _breath(points, frame, x, y))
    up = -frame.down
    return np.stack(
        [part for rise in rises for part in (rise * up[0] * keep_x, rise * up[1] * keep_y)]
    ).astype(np.float32)


def _brows(points: Array, frame: HeadFrame, x: Array, y: Array) -> Array:
    """Return how far raised brows lift places (G, G), px: nothing at the lids and the hair."""
    across = (x - frame.origin[0]) * frame.right[0] + (y - frame.origin[1]) * frame.right[1]
    down = (x - frame.origin[0]) * frame.down[0] + (y - frame.origin[1]) * frame.down[1]
    rise = np.zeros_like(x)
    sides = (
        (topology.LEFT_BROW_UPPER, topology.LEFT_BROW_LOWER, topology.LEFT_EYE_UPPER),
        (topology.RIGHT_BROW_UPPER, topology.RIGHT_BROW_LOWER, topology.RIGHT_EYE_UPPER),
    )
    for upper, lower, lid in sides:
        top, base, edge = (
            (points[list(path), :2] - frame.origin) @ frame.down for path in (upper, lower, lid)
        )
        along = (points[list(upper + lower), :2] - frame.origin) @ frame.right
        middle, half = float(np.mean(along)), float(np.ptp(along)) / 2
        brow_top, brow_base = float(top.mean()), float(base.mean())
        lid_edge = max(float(edge.min()), brow_base + 1)
        below = smoothstep((lid_edge - down) / (lid_edge - brow_base)) ** 2
        above = 1 - smoothstep((brow_top - down) / (BROW_ABOVE * frame.height))
        beside = 1 - smoothstep((np.abs(across - middle) / max(half, 1) - 0.8) / 0.7)
        rise = np.maximum(rise, below * above * beside)
    return rise * BROW_RISE * frame.height


def _breath(points: Array, frame: HeadFrame, x: Array, y: Array) -> Array:
    """Return how far a full breath lifts places (G, G), px: shoulders most, the head half."""
    weight = 1 - smoothstep((frame.radius(x, y) - 1) / (BREATH_REACH - 1))
    below = (x - frame.origin[0]) * frame.down[0] + (y - frame.origin[1]) * frame.down[1]
    chin = float((points[topology.CHIN, :2] - frame.origin) @ frame.down)
    body = smoothstep((below - chin) / (0.4 * frame.height))
    rise: Array = BREATH_RISE * frame.height * weight * (0.5 + 0.5 * body)
    return rise
