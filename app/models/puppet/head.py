"""How each part of a photo follows the head: a depth and a weight on a coarse grid.

K mesh points (478), G grid nodes per side (64), N = G * G.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app import topology

Array = NDArray[np.floating]

GRID = 64
STAGE_STEP_PX = 32
"""Stage sizes are multiples of it, so that few shapes reach the engine."""

PIVOT_BELOW_CHEEKS = 0.45
HAIR_ABOVE_FOREHEAD = 0.5
HALF_WIDTH = 0.72
REACH = 1.8
"""Where the head's weight ends, as a multiple of the head's ellipse."""

BORDER_FADE = 0.45
KERNEL_WIDTH = 0.07
SHARPENINGS = 1
MESH_REACH = 0.3
SKULL_DEPTH = 0.5


@dataclass(frozen=True, slots=True)
class Stage:
    """The part of a photo that may move: x, y of its top-left corner and its size, px."""

    x: int
    y: int
    width: int
    height: int

    @property
    def rows(self) -> slice:
        """Return the stage's rows in the photo."""
        return slice(self.y, self.y + self.height)

    @property
    def columns(self) -> slice:
        """Return the stage's columns in the photo."""
        return slice(self.x, self.x + self.width)


@dataclass(frozen=True, slots=True, eq=False)
class HeadFrame:
    """Axes and extent of a head in the image.

    Attributes:
        origin: (2,) midpoint of the cheeks, px.
        right, down: (2,) unit vectors of the face's own axes in the image plane.
        width, height: of the face from cheek to cheek and from forehead to chin, in space, px.
        pivot: (3,) the point that a rotation leaves in place, px.
        centre: (2,) of the ellipse around face and hair, px.
        radii: its half axes along `right` and `down`, px.
    """

    origin: Array
    right: Array
    down: Array
    width: float
    height: float
    pivot: Array
    centre: Array
    radii: tuple[float, float]

    @classmethod
    def of_mesh(cls, points: Array) -> "HeadFrame":
        """Return the frame of a (478, 3) mesh.

        Cheek points lie in front of the ears, near the plane through the neck: rotating about a
        point in that plane moves the nose most and the outline of the head hardly.
        """
        left, right = points[topology.LEFT_CHEEK], points[topology.RIGHT_CHEEK]
        forehead, chin = points[topology.FOREHEAD], points[topology.CHIN]
        width = float(np.linalg.norm(right - left))
        height = float(np.linalg.norm(chin - forehead))
        eyes = points[topology.RIGHT_EYE_OUTER, :2] - points[topology.LEFT_EYE_OUTER, :2]
        across = (eyes / np.linalg.norm(eyes)).astype(np.float32)
        down = np.array([-across[1], across[0]], np.float32)
        middle = (left + right) / 2
        pivot = middle.copy()
        pivot[:2] += PIVOT_BELOW_CHEEKS * height * down
        top = float((forehead[:2] - middle[:2]) @ down) - HAIR_ABOVE_FOREHEAD * height
        bottom = float((chin[:2] - middle[:2]) @ down)
        centre = middle[:2] + (top + bottom) / 2 * down
        radii = (HALF_WIDTH * width, (bottom - top) / 2)
        return cls(middle[:2], across, down, width, height, pivot, centre, radii)

    def radius(self, x: Array, y: Array) -> Array:
        """Return each place's distance from the head's centre: 1 on its ellipse."""
        dx, dy = x - self.centre[0], y - self.centre[1]
        u = (dx * self.right[0] + dy * self.right[1]) / self.radii[0]
        v = (dx * self.down[0] + dy * self.down[1]) / self.radii[1]
        distance: Array = np.hypot(u, v)
        return distance


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where everything lies in a portrait.

    Attributes:
        points: (478, 3) mesh, px.
        frame: of that mesh.
        stage: where the grid lies.
        photo: height and width of the whole photo, px.
    """

    points: Array
    frame: HeadFrame
    stage: Stage
    photo: tuple[int, int]

    @classmethod
    def of_mesh(cls, points: Array, photo: tuple[int, int]) -> "Places":
        """Return the places of a (478, 3) mesh in a photo of a height and width, px."""
        frame = HeadFrame.of_mesh(points)
        return cls(points, frame, find_stage(frame, *photo), photo)


def find_stage(frame: HeadFrame, photo_height: int, photo_width: int) -> Stage:
    """Return the smallest stage that holds all places where the head's weight is not 0."""
    reach = REACH * np.asarray(frame.radii, np.float32)
    spread_x = float(np.hypot(reach[0] * frame.right[0], reach[1] * frame.down[0]))
    spread_y = float(np.hypot(reach[0] * frame.right[1], reach[1] * frame.down[1]))
    x, width = _span(frame.centre[0] - spread_x, frame.centre[0] + spread_x, photo_width)
    y, height = _span(frame.centre[1] - spread_y, frame.centre[1] + spread_y, photo_height)
    return Stage(x, y, width, height)


def _span(low: float, high: float, limit: int) -> tuple[int, int]:
    """Return start and length of a range of whole steps around [low, high] within [0, limit)."""
    first, last = max(0, int(np.floor(low))), min(limit, int(np.ceil(high)))
    length = min(limit, -(-max(last - first, 1) // STAGE_STEP_PX) * STAGE_STEP_PX)
    return max(0, min(first, limit - length)), length


def grid_nodes(stage: Stage) -> tuple[Array, Array]:
    """Return x and y of the grid's nodes, each (G, G) px.

    The outermost nodes lie on the centres of the stage's outermost pixels.
    """
    x = np.linspace(stage.x + 0.5, stage.x + stage.width - 0.5, GRID, dtype=np.float32)
    y = np.linspace(stage.y + 0.5, stage.y + stage.height - 0.5, GRID, dtype=np.float32)
    across, down = np.meshgrid(x, y)
    return across, down


def head_fields(places: Places) -> NDArray[np.float32]:
    """Return what a rotation of the head needs to know at each grid node.

    Returns:
        (5, G, G) float32: x, y and z from the pivot, px, each times the head's weight in [0, 1];
        then factors that turn movements in x and in y from px to stage coordinates, fading to 0
        at those borders of the photo that lie across the movement.
    """
    frame = places.frame
    x, y = grid_nodes(places.stage)
    radius = frame.radius(x, y)
    weight = 1 - smoothstep((radius - 1) / (REACH - 1))
    z = _depth(places.points, frame, x, y, radius)
    fields = [weight * (x - frame.pivot[0]), weight * (y - frame.pivot[1]), weight * z]
    return np.stack([*fields, *border_factors(places)]).astype(np.float32)


def border_factors(places: Places) -> tuple[Array, Array]:
    """Return factors (G, G) that turn movements in x and in y from px to stage coordinates.

    They fade to 0 at those borders of the photo that lie across the movement.
    """
    stage, photo = places.stage, places.photo
    x, y = grid_nodes(stage)
    fade_px = BORDER_FADE * places.frame.height
    keep_x = smoothstep(np.minimum(x - 0.5, photo[1] - 0.5 - x) / fade_px)
    keep_y = smoothstep(np.minimum(y - 0.5, photo[0] - 0.5 - y) / fade_px)
    return keep_x * 2 / stage.width, keep_y * 2 / stage.height


def _depth(points: Array, frame: HeadFrame, x: Array, y: Array, radius: Array) -> Array:
    """Return z from the pivot at places (G, G): the mesh's, fading into a round skull's."""
    places = (np.stack([x.ravel(), y.ravel()], 1) - frame.origin) / frame.height
    knots = (points[:, :2] - frame.origin) / frame.height
    squared = _squared_distances(places, knots)
    kernel, at_knots = _weights(squared), _weights(_squared_distances(knots, knots))
    knot_z = points[:, 2] - frame.pivot[2]
    # A mean over neighbours flattens a face by two fifths; adding what it loses leaves a quarter.
    # Once more would fold the sides of noses at the limits.
    meant_z = knot_z.copy()
    for _ in range(SHARPENINGS):
        meant_z += knot_z - at_knots @ meant_z
    mesh_z = kernel @ meant_z
    near = 1 - smoothstep(np.sqrt(squared.min(1)) / MESH_REACH)
    skull_z = -SKULL_DEPTH * frame.height * np.maximum(1 - radius.ravel() ** 2, 0) ** 1.5
    depth: Array = (near * mesh_z + (1 - near) * skull_z).reshape(x.shape)
    return depth


def _squared_distances(places: Array, knots: Array) -> Array:
    """Return the squared distances of places (N, 2) and knots (K, 2): (N, K)."""
    squared = (places**2).sum(1)[:, None] + (knots**2).sum(1) - 2 * places @ knots.T
    distances: Array = np.maximum(squared, 0)
    return distances


def _weights(squared: Array) -> Array:
    """Return how much each knot counts at each place, (N, K), by squared distances in heights."""
    kernel = (squared + KERNEL_WIDTH**2) ** -2
    weights: Array = kernel / kernel.sum(1, keepdims=True)
    return weights


def smoothstep(t: Array) -> Array:
    """Return 0 below 0, 1 above 1 and a smooth cubic between."""
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)
