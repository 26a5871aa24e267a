"""The crop in which a driving face is watched while its video plays.

T frames, P mesh points (478). Pixels of `app.values`, with centres at .5, come in.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.driving import DRIVING_PX, DrivingFaces, Performance
from app.head_pose import rotation
from app.variants.liveportrait.crop import DRIVING, Squares, cut, mean_square, squares
from app.variants.liveportrait.landmarks import mesh_points
from app.variants.liveportrait.paste import mesh_transform

Floats = NDArray[np.float32]

SETTLE_FRAMES: Final = 50.0
"""So many frames it takes the square to go two thirds of the way to a face that went elsewhere."""


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """Faces cut for watching, and how their squares lie to the first one.

    Attributes:
        faces: T frames.
        zoom: (T, 1) float32, sides of the squares over the first one's.
        shift: (T, 2) float32, from the first square's centre to theirs, in its half sides.
    """

    faces: DrivingFaces
    zoom: Floats
    shift: Floats

    def in_first(self, performance: Performance) -> Performance:
        """Return what was seen in the squares as it would look in the first one, exactly."""
        motion = performance.motion
        t = motion.t * self.zoom
        t[:, :2] += self.shift
        moved = replace(motion, scale=motion.scale * self.zoom, t=t)
        return replace(performance, motion=moved)


class DrivingSquare:
    """An upright square that slowly follows the face of one driving video.

    The published cropper takes the mean square of the whole video, which a stream does not know
    yet. This one starts as the mean of what it is given first, and follows with the time constant
    `SETTLE_FRAMES`; what that takes from the movement, `Watched.in_first` gives back.
    """

    def __init__(self, points_TP: Floats) -> None:
        self._first = self._now = mean_square(squares(mesh_points(points_TP), DRIVING))

    def cut(self, pictures: Sequence[NDArray[np.uint8]], points_TP3: Floats) -> Watched:
        """Return the faces of the next frames in which the face is seen.

        Args:
            pictures: T of (H, W, 3) uint8 RGB.
            points_TP3: (T, 478, 3) float32 image px.
        """
        wanted = squares(mesh_points(points_TP3), DRIVING)
        framed = self._followed(wanted)
        matrices = framed.matrices(DRIVING_PX)
        first = self._first
        points = in_crop(points_TP3, matrices)
        turns = np.stack([rotation(mesh) for mesh in points_TP3])
        return Watched(
            faces=DrivingFaces(cut(pictures, matrices, DRIVING_PX), points, turns),
            zoom=np.asarray(framed.side / first.side, np.float32)[:, None],
            shift=np.asarray(2 * (framed.centre - first.centre) / first.side[:, None], np.float32),
        )

    def _followed(self, wanted: Squares) -> Squares:
        """Return the squares that are used for frames whose faces want others."""
        centre, side = self._now.centre[0], self._now.side[0]
        share = 1 - np.exp(-1 / SETTLE_FRAMES)
        centres, sides = [], []
        for to_centre, to_side in zip(wanted.centre, wanted.side, strict=True):
            centre = centre + share * (to_centre - centre)
            side = side + share * (to_side - side)
            centres.append(centre)
            sides.append(side)
        framed = Squares(
            np.asarray(centres, np.float32), np.asarray(sides, np.float32), wanted.right
        ).upright()
        self._now = Squares(framed.centre[-1:], framed.side[-1:], framed.right[-1:])
        return framed


def in_crop(points_TP3: Floats, matrices_T33: Floats) -> Floats:
    """Return mesh points in crop px, depth in the same unit: (T, 478, 3) float32.

    Args:
        points_TP3: (T, 478, 3) float32 image px.
        matrices_T33: (T, 3, 3) float32, of `Squares.matrices`.
    """
    moved = np.empty_like(points_TP3)
    for points, matrix, place in zip(points_TP3, matrices_T33, moved, strict=True):
        flat = mesh_transform(matrix)
        place[:, :2] = points[:, :2] @ flat[:2, :2].T + flat[:2, 2]
        place[:, 2] = points[:, 2] * np.hypot(flat[0, 0], flat[1, 0])
    return moved
