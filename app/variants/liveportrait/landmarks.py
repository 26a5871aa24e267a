"""Which points of a landmark set the crop and the ratios use, for each set that may come.

Our own 478-point face mesh is one of them, so that no other landmark net is needed. Where the net
that finds the published 203 points was fetched, it takes the mesh's place (`landmark_net.py`):
nothing but the number of points tells them apart.

N points of the set. Left and right are those of the image. Points are (..., N, 2) float32 image
px, x right, y down, pixel centres at whole numbers. Source of the published sets:
LivePortrait@1986663 src/utils/crop.py, src/utils/retargeting_utils.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app import topology
from app.topology import Indices

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]
Quad = tuple[int, int, int, int]

Landmarks = Callable[[Pixels, Floats], Floats]
"""Of a picture (H, W, 3) uint8 RGB and its face's mesh points (478, 2) px, the points (N, 2) px of
a set in `LAYOUTS`, by which the face is cropped and measured."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The named points of one landmark set, as indices.

    Attributes:
        left_eye: their mean is the eye's centre.
        right_eye: as `left_eye`.
        mouth: both corners.
        outline: their box is the face's; None takes every point.
        left_lids: upper and lower lid, then both corners; None where the set has no lids.
        right_lids: as `left_lids`.
        lips: inner upper and lower lip, then both outer corners.
    """

    left_eye: Indices
    right_eye: Indices
    mouth: tuple[int, int]
    outline: Indices | None = None
    left_lids: Quad | None = None
    right_lids: Quad | None = None
    lips: Quad | None = None


# The 203 points end at the brows above and at the jaw's contour elsewhere; so does this choice,
# which leaves the mesh's forehead out. Nose and lips stand out in profile. On a clip that looks
# like the published cropper's own, the square is 3 % larger, its centre within 2 of 512 px.
_MESH_OUTLINE: Final[Indices] = (
    *topology.JAW,
    *topology.LEFT_BROW_UPPER,
    *topology.RIGHT_BROW_UPPER,
    *topology.OUTER_LIPS,
    topology.NOSE_TIP,
)

LAYOUTS: Final[dict[int, Layout]] = {
    5: Layout(left_eye=(0,), right_eye=(1,), mouth=(3, 4)),
    9: Layout(left_eye=(2, 3), right_eye=(0, 1), mouth=(5, 6)),
    68: Layout(left_eye=(36, 39), right_eye=(42, 45), mouth=(48, 54)),
    101: Layout(left_eye=(39, 42, 45, 48), right_eye=(51, 54, 57, 60), mouth=(75, 81)),
    106: Layout(left_eye=(33, 35, 40, 39), right_eye=(87, 89, 94, 93), mouth=(52, 61)),
    203: Layout(
        left_eye=(0, 6, 12, 18),
        right_eye=(24, 30, 36, 42),
        mouth=(48, 66),
        left_lids=(6, 18, 0, 12),
        right_lids=(30, 42, 24, 36),
        lips=(90, 102, 48, 66),
    ),
    478: Layout(
        left_eye=(33, 159, 133, 145),
        right_eye=(362, 386, 263, 374),
        mouth=(61, 291),
        outline=_MESH_OUTLINE,
        left_lids=(159, 145, 33, 133),
        right_lids=(386, 374, 362, 263),
        lips=(13, 14, 61, 291),
    ),
}
"""By number of points."""


def layout_of(points: NDArray[Any]) -> Layout:
    """Return the layout of (..., N, 2) points.

    Raises:
        ValueError: no known set has N points.
    """
    layout = LAYOUTS.get(points.shape[-2])
    if layout is None:
        raise ValueError(f"no landmark set of {points.shape[-2]} points")
    return layout


def mesh_points(points_K: Floats) -> Floats:
    """Return face-mesh points as this package counts pixels: (..., 478, 2) float32.

    Args:
        points_K: (..., 478, 2 or 3) float32, of `app.values.FaceMesh`, pixel centres at .5.
    """
    return np.asarray(points_K[..., :2] - 0.5, np.float32)


def mesh_landmarks(pixels_HW3: Pixels, mesh_K2: Floats) -> Floats:
    """Return the mesh's points as they are, whatever the picture: the `Landmarks` of no net."""
    return mesh_K2
