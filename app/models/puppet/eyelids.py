"""How the lids of both eyes move when they shut, measured on a still photo's mesh.

K mesh points (478), P pixels near the eyes, N places.

Each eye has axes of its own: t runs from its corner on the image's left (0) to the other (1), and
v measures px downwards from the line through both corners.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app import topology
from app.models.puppet.head import Stage, smoothstep

Array = NDArray[np.floating]

PAD = 1024
"""Pixel counts are multiples of it, so that few shapes reach the engine."""

CORNER_REACH = 0.06
"""How far an eye goes on beyond the mesh's corners, in eye widths."""

LASHES = 0.06
"""How much of the open eye below the mesh's upper lid moves with it: its lashes."""

LOWER_LIFT = 0.14
OVERLAP = 0.06
"""How much of the open eye the lower lid comes up, and the upper lid then covers of it."""

MIN_SKIN = 0.7
"""Least skin that stretches above the lid, in heights of the open eye."""

SKIN_TO_FOLD = 0.7
"""How much of the skin between brow and lid stretches; the rest moves along with the edge."""

CHEEK_REACH = 1.0
"""How far below the lower lid the cheek follows it, in heights of the open eye."""

SOFTNESS = 0.07
"""Width of the lid's edge, in heights of the open eye."""

EYE_WIDTHS_PER_DEG = 0.0075
"""How far one degree moves the iris, in eye widths: a ball of 12 mm radius, an eye of 28 mm."""

IRIS_SHARE = (0.2, 0.75)
"""Diameters of an iris, in eye widths, that are believed; else the gaze stays as it is."""

IRIS_MARGIN = 1.2
"""Within so many radii the iris moves as one; beyond twice that, nothing does."""

RIM = 0.22
"""Share of the open eye along each lid in which its content stays with the lid."""


@dataclass(frozen=True, slots=True, eq=False)
class Eyelids:
    """Pixels near the eyes, and the mesh points that move with the lids.

    Attributes:
        pixels: (17, P) float32: x and y in stage coordinates; what one px down the eye adds to
            them; depth below the brow, px; skin from the brow to the lid's edge, px; drop of the
            edge when shut, px; lift of what shows here when shut, px; how open the eye is here,
            1 where it is widest; width of the lid's edge, px; 0 for the left eye and 1 for the
            right; the lid's own colour, RGB in [0, 255]; what one px to the right along the eye
            adds to x and to y; by how many px one degree of gaze moves what shows here.
        slots: (P,) int64, each pixel's flat index in the stage.
        shifts: (478, 2) float32, by how many px each mesh point moves when its eye is shut.
        is_right: (478,) bool, whether the right eye moves it.
    """

    pixels: NDArray[np.float32]
    slots: NDArray[np.int64]
    shifts: NDArray[np.float32]
    is_right: NDArray[np.bool_]


def find_eyelids(points: Array, stage: Stage, still: NDArray[np.uint8]) -> Eyelids:
    """Return the eyelids of a (478, 3) mesh, px, within a stage; `still` is its (h, w, 3) RGB."""
    eyes = (
        _Eye(points, topology.LEFT_EYE_UPPER, topology.LEFT_EYE_LOWER, topology.LEFT_BROW_LOWER),
        _Eye(points, topology.RIGHT_EYE_UPPER, topology.RIGHT_EYE_LOWER, topology.RIGHT_BROW_LOWER),
    )
    irises = (topology.LEFT_IRIS, topology.RIGHT_IRIS)
    pixels, slots = [_still_pixel(stage)], [np.zeros(1, np.int64)]
    shifts = np.zeros((len(points), 2), np.float32)
    is_right = np.zeros(len(points), np.bool_)
    for right, eye in enumerate(eyes):
        t, eye_pixels, eye_slots = _pixels(eye, stage)
        side = np.full((1, len(t)), right, np.float32)
        tone = _tone(eye, t, stage, still)
        gaze = _gaze(eye, points[list(irises[right]), :2], eye_slots, stage)
        pixels.append(np.concatenate([eye_pixels, side, tone, gaze]))
        slots.append(eye_slots)
        moved = _shifts(eye, points[:, :2])
        shifts += moved
        is_right |= moved.any(1) & bool(right)
    shifts[list(topology.LEFT_IRIS + topology.RIGHT_IRIS)] = 0
    count = sum(map(len, slots))
    padding = -count % PAD
    pixels.append(np.repeat(pixels[0], padding, 1))
    slots.append(np.repeat(slots[0], padding))
    stacked = np.concatenate(pixels, 1).astype(np.float32)
    return Eyelids(stacked, np.concatenate(slots), shifts, is_right)


class _Eye:
    """One eye's axes and curves.

    Args:
        points: (478, 3) mesh, px.
        upper: path of the upper lid, corners included.
        lower: path of the lower lid, corners included.
        brow: path of the brow's lower rim.
    """

    def __init__(
        self,
        points: Array,
        upper: topology.Indices,
        lower: topology.Indices,
        brow: topology.Indices,
    ) -> None:
        start, end = points[upper[0], :2], points[upper[-1], :2]
        self.corner = start - CORNER_REACH * (end - start)
        end = end + CORNER_REACH * (end - start)
        self.width = max(float(np.linalg.norm(end - self.corner)), 1.0)
        self.across = (end - self.corner) / self.width
        self.down = np.array([-self.across[1], self.across[0]], np.float32)
        self._upper = _fit(*self.axes(points[list(upper[1:-1]), :2]), pinned=True)
        self._lower = _fit(*self.axes(points[list(lower[1:-1]), :2]), pinned=True)
        self._brow = _fit(*self.axes(points[list(brow), :2]), pinned=False)
        upper_v, lower_v = self._lids(np.linspace(0, 1, 33, dtype=np.float32))
        self.height = float((lower_v - upper_v).max())

    def axes(self, places: Array) -> tuple[Array, Array]:
        """Return t and v of places (N, 2) px."""
        offset = places - self.corner
        return offset @ self.across / self.width, offset @ self.down

    def places(self, t: Array, v: Array) -> Array:
        """Return the px (N, 2) of t and v."""
        return self.corner + t[:, None] * self.width * self.across + v[:, None] * self.down

    def move(self, t: Array, v: Array) -> tuple[Array, Array, Array, Array, Array]:
        """Return depth, skin, drop, lift and opening at t and v; see `Eyelids`."""
        t = np.clip(t, 0, 1)
        upper, lower = self._lids(t)
        opening = lower - upper
        edge = upper + LASHES * opening
        brow = np.minimum(_basis(t) @ self._brow, edge - MIN_SKIN * self.height - 1)
        drop = (1 - LOWER_LIFT + OVERLAP - LASHES) * opening
        rise = smoothstep((v - edge) / np.maximum(lower - edge, 0.01))
        fall = 1 - smoothstep((v - lower) / max(CHEEK_REACH * self.height, 0.01))
        lift = LOWER_LIFT * opening * rise * fall
        return v - brow, edge - brow, drop, lift, opening / max(self.height, 0.01)

    def within(self, t: Array, v: Array) -> Array:
        """Return where places lie in the open eye: 0 at the upper lid, 1 at the lower one."""
        upper, lower = self._lids(np.clip(t, 0, 1))
        share: Array = (v - upper) / np.maximum(lower - upper, 1.0)
        return share

    def _lids(self, t: Array) -> tuple[Array, Array]:
        """Return v of the upper and of the lower lid at t in [0, 1]; upper <= lower."""
        pins = (t * (1 - t))[:, None] * _basis(t)
        upper = (pins @ self._upper).astype(np.float32)
        return upper, np.maximum((pins @ self._lower).astype(np.float32), upper)


def _basis(t: Array) -> Array:
    """Return the polynomials that curves consist of, (N, 3)."""
    return np.stack([np.ones_like(t), t, t * t], 1)


def _fit(t: Array, v: Array, *, pinned: bool) -> Array:
    """Return coefficients (3,) of the smooth curve v over t; `pinned` to 0 at both corners."""
    basis = _basis(t)
    if pinned:
        basis = (t * (1 - t))[:, None] * basis
    solution: Array = np.linalg.lstsq(basis, v, rcond=None)[0].astype(np.float32)
    return solution


def _pixels(eye: _Eye, stage: Stage) -> tuple[Array, Array, NDArray[np.int64]]:
    """Return t (P,), attributes (10, P) and slots (P,) of the pixels that an eye's lids move."""
    x, y = np.meshgrid(
        np.arange(stage.width, dtype=np.float32) + 0.5,
        np.arange(stage.height, dtype=np.float32) + 0.5,
    )
    places = np.stack([x.ravel() + stage.x, y.ravel() + stage.y], 1)
    t, v = eye.axes(places)
    slots = np.flatnonzero((t > 0) & (t < 1) & (np.abs(v) < 2 * eye.width))
    depth, skin, drop, lift, opening = eye.move(t[slots], v[slots])
    soft = np.full_like(depth, max(SOFTNESS * eye.height, 1.0))
    touched = ((depth > 0) & (depth < skin + drop + 3 * soft)) | (lift > 0)
    slots = slots[touched]
    unit = np.array([2 / stage.width, 2 / stage.height], np.float32)
    centres = np.stack([x.ravel()[slots], y.ravel()[slots]]) * unit[:, None] - 1
    step = np.repeat((eye.down * unit)[:, None], len(slots), 1)
    motion = np.stack([depth, skin, drop, lift, opening, soft])[:, touched]
    return t[slots], np.concatenate([centres, step, motion]).astype(np.float32), slots


def _gaze(eye: _Eye, iris: Array, slots: NDArray[np.int64], stage: Stage) -> Array:
    """Return how the gaze moves pixels, (3, P); see `Eyelids`.

    Args:
        eye: whose.
        iris: (5, 2) px, its centre and four points of its rim.
        slots: (P,) the pixels.
        stage: where they are.
    """
    places = np.stack([slots % stage.width + stage.x, slots // stage.width + stage.y], 1) + 0.5
    t, v = eye.axes(places.astype(np.float32))
    radius = float(np.linalg.norm(iris[1:] - iris[0], axis=1).mean())
    iris_t, iris_v = eye.axes(iris[:1])
    away = np.hypot((t - iris_t) * eye.width, v - iris_v) / max(radius, 0.5)
    moves = 1 - smoothstep(away / IRIS_MARGIN - 1)
    share = eye.within(t, v)
    inside = smoothstep(share / RIM) * smoothstep((1 - share) / RIM)
    corners = smoothstep(t / 0.2) * smoothstep((1 - t) / 0.2)
    believed = IRIS_SHARE[0] < 2 * radius / eye.width < IRIS_SHARE[1]
    believed &= bool(0.15 < iris_t[0] < 0.85) and bool(-0.5 < eye.within(iris_t, iris_v)[0] < 1.5)
    gives = float(believed) * EYE_WIDTHS_PER_DEG * eye.width * moves * inside * corners
    unit = np.array([2 / stage.width, 2 / stage.height], np.float32)
    step = np.repeat((eye.across * unit)[:, None], len(slots), 1)
    return np.concatenate([step, gives[None]]).astype(np.float32)


def _tone(eye: _Eye, t: Array, stage: Stage, still: NDArray[np.uint8]) -> Array:
    """Return the colour of an eye's shut lid at t (P,): (3, P) RGB in [0, 255].

    It runs straight across the eye, fitted to the skin above the lid and below the eye.
    """
    along = np.linspace(0.1, 0.9, 17, dtype=np.float32)
    depth, skin, _, _, opening = eye.move(along, np.zeros_like(along))
    above = -depth + 0.65 * skin
    below = skin - depth + (opening + 0.35) * eye.height
    places = np.concatenate([eye.places(along, above), eye.places(along, below)])
    cells = np.floor(places).astype(np.int64) - (stage.x, stage.y)
    cells = np.clip(cells, 0, (stage.width - 1, stage.height - 1))
    seen = still[cells[:, 1], cells[:, 0]].astype(np.float32)
    line = np.stack([np.ones(2 * len(along), np.float32), np.tile(along, 2)], 1)
    offset, slope = np.linalg.lstsq(line, seen, rcond=None)[0]
    tone: Array = np.clip(offset[:, None] + slope[:, None] * t, 0, 255).astype(np.float32)
    return tone


def _still_pixel(stage: Stage) -> Array:
    """Return the attributes (17, 1) of the stage's first pixel, which no lid moves: padding."""
    still = np.zeros((17, 1), np.float32)
    still[:2, 0] = 1 / stage.width - 1, 1 / stage.height - 1
    still[[5, 9]] = 1
    return still


def _shifts(eye: _Eye, places: Array) -> Array:
    """Return by how many px the lids move places (N, 2) on the skin when they shut."""
    t, v = eye.axes(places)
    depth, skin, drop, lift, _ = eye.move(t, v)
    on_lid = depth < skin + 0.25 * drop
    along = np.where(on_lid, drop * smoothstep(depth / skin / SKIN_TO_FOLD), -lift)
    along[(t <= 0) | (t >= 1) | (np.abs(v) > 2 * eye.width)] = 0
    shifts: Array = (along[:, None] * eye.down).astype(np.float32)
    return shifts
