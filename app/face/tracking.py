"""One face followed through a video."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.face.analyzer import FaceAnalyzer
from app.face.choice import face_px
from app.face.mesh import Region
from app.face.smoothing import OneEuro
from app.values import MESH_POINTS, FaceMesh

SEARCH_INTERVAL_S = 1.0
"""Media seconds between thorough searches while there is no face: one costs as much as 15 frames
do."""

LONGEST_STEP_S = 0.5
"""After a longer gap, the last frame says little about where the face is now."""

MOST_GROWTH = 1.5
"""A face that grows or shrinks by more from frame to frame is another one, or none."""


@dataclass(slots=True, eq=False)
class Track:
    """What is known of a face that is followed; one per video, handed on from call to call.

    Attributes:
        face_index: which face to start with, 0 the largest, while no `place` is known.
        place: the face where it was last seen, unsmoothed; the nearest to it is followed.
        tracked: the same, if the frame before showed it.
        time_s: media time of the frame before, seconds.
        searched_s: when an image was last searched thoroughly and in vain.
        smoothing: of the points.
    """

    face_index: int = 0
    place: FaceMesh | None = None
    tracked: FaceMesh | None = None
    time_s: float = -math.inf
    searched_s: float = -math.inf
    smoothing: OneEuro = field(default_factory=OneEuro)


class FaceTracker:
    """Follows one face of one video.

    Args:
        analyzer: finds faces; may be shared with other trackers.
        track: where following goes on; changed as it does.
    """

    def __init__(self, analyzer: FaceAnalyzer, track: Track) -> None:
        self._analyzer = analyzer
        self._track = track

    def follow(self, pixels: NDArray[np.uint8], time_s: float) -> FaceMesh | None:
        """Return the face in the next frame, smoothed; None while it is not to be seen.

        One pass of the mesh net around the last mesh; if that fails, the frame is searched.

        Args:
            pixels: (H, W, 3) uint8 RGB.
            time_s: media time of the frame, seconds. Going back or leaving a gap is a cut.
        """
        track = self._track
        if not 0 < time_s - track.time_s <= LONGEST_STEP_S:
            track.tracked = None
        track.time_s = time_s
        mesh = self._continued(pixels)
        if mesh is None:
            track.smoothing.reset()
            mesh = self._found(pixels)
        track.tracked = mesh
        if mesh is None:
            return None
        track.place = mesh
        points = track.smoothing.smooth(mesh.points, time_s)
        return FaceMesh(points, mesh.blendshapes, mesh.score)

    def _continued(self, pixels: NDArray[np.uint8]) -> FaceMesh | None:
        """Return the face where the last frame had it."""
        tracked = self._track.tracked
        if tracked is None:
            return None
        mesh = self._analyzer.fit(pixels, Region.of_points(tracked.points))
        if mesh is None:
            return None
        growth = face_px(mesh.points) / max(1e-6, face_px(tracked.points))
        return mesh if 1 / MOST_GROWTH < growth < MOST_GROWTH else None

    def _found(self, pixels: NDArray[np.uint8]) -> FaceMesh | None:
        """Return the face by searching the frame: the one nearest to where it was lost."""
        track = self._track
        meshes = self._analyzer.glance(pixels)
        if not meshes and not 0 <= track.time_s - track.searched_s < SEARCH_INTERVAL_S:
            track.searched_s = track.time_s
            meshes = self._analyzer.search(pixels)
        if not meshes:
            return None
        if track.place is None:
            return meshes[min(track.face_index, len(meshes) - 1)]
        last = track.place.points[:, :2].mean(axis=0)
        return min(
            meshes,
            key=lambda mesh: float(np.linalg.norm(mesh.points[:, :2].mean(axis=0) - last)),
        )


@dataclass(frozen=True, slots=True, eq=False)
class FollowQuery:
    """Consecutive frames of one video through which a face is followed.

    Attributes:
        pixels: (T, H, W, 3) uint8 RGB.
        times_s: media times of the frames, seconds.
        track: where following goes on.
    """

    pixels: NDArray[np.uint8]
    times_s: Sequence[float]
    track: Track


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """Where a face was.

    Attributes:
        points: (T, 478, 3) float32 image px, smoothed; zeros where it was not seen.
        seen: (T,) bool.
        track: where following goes on after these frames.
    """

    points: NDArray[np.float32]
    seen: NDArray[np.bool_]
    track: Track


def follow(analyzer: FaceAnalyzer, query: FollowQuery) -> Followed:
    """Return where a face was in the frames of a query."""
    tracker = FaceTracker(analyzer, query.track)
    points = np.zeros((len(query.pixels), MESH_POINTS, 3), np.float32)
    seen = np.zeros(len(query.pixels), bool)
    for index, (pixels, time_s) in enumerate(zip(query.pixels, query.times_s, strict=True)):
        mesh = tracker.follow(pixels, time_s)
        if mesh is not None:
            points[index], seen[index] = mesh.points, True
    return Followed(points, seen, query.track)
