"""One face followed through a video."""

import math

import numpy as np
from numpy.typing import NDArray

from app.face.analyzer import FaceAnalyzer
from app.face.choice import face_px
from app.face.mesh import Region
from app.face.smoothing import OneEuro
from app.values import FaceMesh

SEARCH_INTERVAL_S = 1.0
"""Media seconds between thorough searches while there is no face: one costs as much as 15 frames
do."""

LONGEST_STEP_S = 0.5
"""After a longer gap, the last frame says little about where the face is now."""

MOST_GROWTH = 1.5
"""A face that grows or shrinks by more from frame to frame is another one, or none."""


class FaceTracker:
    """Follows one face of one video; its state is that video's alone.

    Args:
        analyzer: finds faces; may be shared with other trackers.
        face_index: which face to start with, 0 the largest.
        smoothing: of the points; the defaults of `OneEuro` if absent.
    """

    def __init__(
        self, analyzer: FaceAnalyzer, face_index: int = 0, smoothing: OneEuro | None = None
    ) -> None:
        self._analyzer = analyzer
        self._face_index = face_index
        self._smoothing = smoothing or OneEuro()
        self._time_s = self._searched_s = -math.inf
        self._tracked: FaceMesh | None = None
        self._place: FaceMesh | None = None

    def follow(self, pixels: NDArray[np.uint8], time_s: float) -> FaceMesh | None:
        """Return the face in the next frame, smoothed; None while it is not to be seen.

        One pass of the mesh net around the last mesh; if that fails, the frame is searched.

        Args:
            pixels: (H, W, 3) uint8 RGB.
            time_s: media time of the frame, seconds. Going back or leaving a gap is a cut.
        """
        if not 0 < time_s - self._time_s <= LONGEST_STEP_S:
            self._tracked = None
        self._time_s = time_s
        mesh = self._continued(pixels)
        if mesh is None:
            self._smoothing.reset()
            mesh = self._found(pixels)
        self._tracked = mesh
        if mesh is None:
            return None
        self._place = mesh
        points = self._smoothing.smooth(mesh.points, time_s)
        return FaceMesh(points, mesh.blendshapes, mesh.score)

    def _continued(self, pixels: NDArray[np.uint8]) -> FaceMesh | None:
        """Return the face where the last frame had it."""
        if self._tracked is None:
            return None
        mesh = self._analyzer.fit(pixels, Region.of_points(self._tracked.points))
        if mesh is None:
            return None
        growth = face_px(mesh.points) / max(1e-6, face_px(self._tracked.points))
        return mesh if 1 / MOST_GROWTH < growth < MOST_GROWTH else None

    def _found(self, pixels: NDArray[np.uint8]) -> FaceMesh | None:
        """Return the face by searching the frame: the one nearest to where it was lost."""
        meshes = self._analyzer.glance(pixels)
        if not meshes and not 0 <= self._time_s - self._searched_s < SEARCH_INTERVAL_S:
            self._searched_s = self._time_s
            meshes = self._analyzer.search(pixels)
        if not meshes:
            return None
        if self._place is None:
            return meshes[min(self._face_index, len(meshes) - 1)]
        last = self._place.points[:, :2].mean(axis=0)
        return min(
            meshes,
            key=lambda mesh: float(np.linalg.norm(mesh.points[:, :2].mean(axis=0) - last)),
        )
