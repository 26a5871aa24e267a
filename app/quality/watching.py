"""What the face nets see in finished frames.

T frames, K mesh points (478), R rigid points.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.face.analyzer import FaceAnalyzer
from app.face.mesh import Region
from app.topology import (
    INNER_LIP_LOWER,
    INNER_LIP_UPPER,
    LEFT_EYE_LOWER,
    LEFT_EYE_OUTER,
    LEFT_EYE_UPPER,
    RIGHT_EYE_LOWER,
    RIGHT_EYE_OUTER,
    RIGHT_EYE_UPPER,
)

Floats = NDArray[np.float32]

RIGID = (33, 133, 362, 263, 168, 6, 197, 195, 5, 4, 1, 98, 327, 2)
"""Corners of the eyes, and the nose from its root to its base: neither speech nor blinks move
them."""


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """The face in each frame.

    Attributes:
        points: (T, 478, 3) float32 px; where a face was lost, those of the frame before.
        seen: (T,) bool, whether it was found.
    """

    points: Floats
    seen: NDArray[np.bool_]

    @property
    def gap(self) -> Floats:
        """The inner-lip gap, (T,) float32, distances between the outer eye corners."""
        return np.array([lip_gap(points) for points in self.points], np.float32)

    @property
    def openness(self) -> Floats:
        """How far the eyes are open, (T,) float32: the lids' mean distance over the eyes' width."""
        return np.array([eye_openness(points) for points in self.points], np.float32)

    def distortion(self, still: Floats) -> Floats:
        """Return how much eyes and nose differ from the photo's, pose removed: (T,) float32.

        Root of the mean square over the rigid points, over the distance of the eyes, after the
        photo's points in depth were turned, scaled and moved to lie closest to the frame's.

        Args:
            still: (478, 3) float32 px, the mesh of the photo, depth included.
        """
        return np.array([_misfit(still, points) for points in self.points], np.float32)

    def jitter(self) -> float:
        """Return how much eyes and nose tremble: their mean deviation, % of eye distance."""
        rigid = self.points[:, RIGID, :2]
        spread = float(np.sqrt(((rigid - rigid.mean(axis=0)) ** 2).sum(axis=2)).mean())
        return 100 * spread / eye_distance(self.points.mean(axis=0))


def watch(frames: Iterable[NDArray[np.uint8]], analyzer: FaceAnalyzer, still: Floats) -> Watched:
    """Return the face as it is found anew in each frame.

    Args:
        frames: (H, W, 3) uint8 RGB each.
        analyzer: finds it.
        still: (478, 3) float32 px, where the photo has it.
    """
    points, seen = [still], []
    for frame in frames:
        meshes = analyzer.glance(frame)
        seen.append(bool(meshes))
        points.append(meshes[0].points if meshes else points[-1])
    return Watched(np.stack(points[1:]), np.array(seen))


def follow(frames: Iterable[NDArray[np.uint8]], analyzer: FaceAnalyzer, still: Floats) -> Watched:
    """Return the same by looking only where the face was before, which is faster."""
    points, seen = [still], []
    for frame in frames:
        mesh = analyzer.fit(frame, Region.of_points(points[-1]))
        seen.append(mesh is not None)
        points.append(mesh.points if mesh else points[-1])
    return Watched(np.stack(points[1:]), np.array(seen))


def eye_distance(points: Floats) -> float:
    """Return the distance between the outer eye corners, px; points (478, 2 or more)."""
    return float(np.linalg.norm(points[RIGHT_EYE_OUTER, :2] - points[LEFT_EYE_OUTER, :2]))


def lip_gap(points: Floats) -> float:
    """Return the mean inner-lip gap in distances between the outer eye corners.

    Args:
        points: (478, 2 or more) float32 image px.
    """
    upper = points[list(INNER_LIP_UPPER)[2:-2], :2]
    lower = points[list(INNER_LIP_LOWER)[2:-2], :2]
    return float(np.linalg.norm(lower - upper, axis=1).mean()) / eye_distance(points)


def eye_openness(points: Floats) -> float:
    """Return the mean distance of the lids over the eyes' width; points (478, 2 or more) px."""
    sides = ((LEFT_EYE_UPPER, LEFT_EYE_LOWER), (RIGHT_EYE_UPPER, RIGHT_EYE_LOWER))
    ratios = []
    for upper, lower in sides:
        gap = points[list(lower[2:-2]), :2] - points[list(upper[2:-2]), :2]
        width = np.linalg.norm(points[upper[-1], :2] - points[upper[0], :2])
        ratios.append(np.linalg.norm(gap, axis=1).mean() / max(float(width), 1e-6))
    return float(np.mean(ratios))


def _misfit(still: Floats, points: Floats) -> float:
    model = still[list(RIGID)].astype(np.float64)
    seen = points[list(RIGID), :2].astype(np.float64)
    model, seen = model - model.mean(axis=0), seen - seen.mean(axis=0)
    linear_32, *_ = np.linalg.lstsq(model, seen, rcond=None)
    # The nearest scaled projection: a turned head has no other way to look.
    left, stretch, right = np.linalg.svd(linear_32, full_matrices=False)
    fitted = model @ (left @ right * stretch.mean())
    error = float(np.sqrt(((fitted - seen) ** 2).sum(axis=1).mean()))
    return error / eye_distance(points)
