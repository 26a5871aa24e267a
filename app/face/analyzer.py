"""All faces of an image."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from app.face.blendshapes import blendshapes
from app.face.choice import face_px
from app.face.config import FaceConfig
from app.face.detector import Array, Detection, Detector, overlap
from app.face.mesh import MeshFitter, Region
from app.face.nets import FaceNets, Net
from app.face.tiles import TILE_PX, tiles
from app.face.turns import roll_deg, turn_points
from app.head_pose import yaw_deg
from app.values import FaceMesh

# Measured on six portraits turned in steps of 15 degrees, each searched after four quarter turns:
# right meshes have logits of 17.6 and more; of the upside-down ones (logits up to 28) none has
# both 16 and a roll under 30 degrees.
SURE_LOGIT = 16.0
SURE_ROLL_DEG = 30.0
LOGIT_CAP = 18.0
LOGIT_PER_DEG = 0.1

TURNS = (0, 1, 3, 2)
"""Quarter turns in the order in which they are tried: photos on their head are rarest."""

PROFILE_LOGIT = -10.0
PROFILE_DEG = 40.0
"""Least logit and turn of a profile, which the mesh net doubts. Of five portraits rendered at turns
of 45, 60 and 75 degrees to both sides, 28 of 30 come out as faces or as profiles."""

SECOND_LOGIT = 9.0
"""Least logit of a face seen after a turn or on a tile: so many looks bring chance finds (up to 5
in pictures of a cup, a cat and gravel), while six portraits shrunk to 32 px have 13 and more."""

Look = Callable[[NDArray[np.uint8]], list[Detection]]


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """A mesh in a turned image: (478, 3) points, px, and the logit that they are on a face."""

    points: Array
    logit: float

    @property
    def box(self) -> Array:
        """The bounds of the points: (4,) x0, y0, x1, y1."""
        flat = self.points[:, :2]
        return np.concatenate([flat.min(axis=0), flat.max(axis=0)])

    @property
    def quality(self) -> float:
        """Grows with confidence, as far as that tells anything, and with uprightness."""
        return min(self.logit, LOGIT_CAP) - LOGIT_PER_DEG * abs(roll_deg(self.points))

    @property
    def sure(self) -> bool:
        """Whether the mesh cannot be an upside-down fit."""
        return self.logit >= SURE_LOGIT and abs(roll_deg(self.points)) <= SURE_ROLL_DEG


class FaceAnalyzer:
    """Finds faces; callable from several threads at once.

    Args:
        nets: the files of the nets, already verified.
        config: thresholds.
    """

    def __init__(self, nets: FaceNets, config: FaceConfig) -> None:
        self._config = config
        near, far, mesh, scores = (
            Net(file, config.threads)
            for file in (nets.short_range, nets.full_range, nets.mesh, nets.blendshapes)
        )
        self._near = Detector.short_range(near, config.short_range_score, config.overlap)
        self._far = Detector.full_range(far, config.full_range_score, config.overlap)
        self._fitter = MeshFitter(mesh, config.passes)
        self._tracker = MeshFitter(mesh, 1)
        self._blendshapes = scores

    def analyze(self, pixels: NDArray[np.uint8]) -> list[FaceMesh]:
        """Return the faces of a photo as `search` finds them, or else its profiles.

        Profiles are meshes that look far aside, and that the net believes less than `mesh_logit`
        asks for; `choose` refuses them. They come only if there is no other face.

        Args:
            pixels: (H, W, 3) uint8 RGB, H and W > 0.

        Raises:
            ValueError: another shape or dtype.
        """
        meshes = self.search(pixels)
        if meshes:
            return meshes
        small, x_factor, y_factor = _shrunk(pixels, self._config.max_side_px)
        return [mesh.scaled(1 / x_factor, 1 / y_factor) for mesh in self._profiles(small)]

    def search(self, pixels: NDArray[np.uint8]) -> list[FaceMesh]:
        """Return the faces of an image, largest first; empty if there is none.

        The whole image is searched in a copy of at most `max_side_px`; if there is no face that
        surely stands upright, again after quarter turns, because the nets fit upside-down faces the
        wrong way round. Without a face so far, tiles are searched as they stand: of the copy, then
        of the image itself.

        Args:
            pixels: (H, W, 3) uint8 RGB, H and W > 0.

        Returns:
            Meshes in px of the image as given.

        Raises:
            ValueError: another shape or dtype.
        """
        _check(pixels)
        small, x_factor, y_factor = _shrunk(pixels, self._config.max_side_px)
        meshes = self._look(small, self._whole, TURNS) or self._look(small, self._tiled)
        if meshes:
            return [mesh.scaled(1 / x_factor, 1 / y_factor) for mesh in meshes]
        return [] if small is pixels else self._look(pixels, self._tiled)

    def search_tiles(self, pixels: NDArray[np.uint8]) -> list[FaceMesh]:
        """Return the upright faces that tiles of the image show, largest first.

        What is left to do for an image of which a copy of `max_side_px` was searched in vain.

        Args:
            pixels: (H, W, 3) uint8 RGB, H and W > 0.

        Raises:
            ValueError: another shape or dtype.
        """
        _check(pixels)
        return self._look(pixels, self._tiled)

    def glance(self, pixels: NDArray[np.uint8]) -> list[FaceMesh]:
        """Return the upright faces that the whole image shows, largest first; for video.

        Args:
            pixels: (H, W, 3) uint8 RGB, H and W > 0.
        """
        return self._look(pixels, self._whole)

    def fit(self, pixels: NDArray[np.uint8], region: Region) -> FaceMesh | None:
        """Return the face in a region of an image after one pass; None if there is none.

        Args:
            pixels: (H, W, 3) uint8 RGB.
            region: where the face is, such as around its mesh in the frame before.
        """
        fit = _Fit(*self._tracker.fit(pixels, region))
        return self._mesh(fit, 0, pixels.shape) if fit.logit >= self._config.mesh_logit else None

    def _look(
        self, pixels: NDArray[np.uint8], look: Look, turns_to_try: Sequence[int] = (0,)
    ) -> list[FaceMesh]:
        """Return the faces that `look` leads to, from the best of the turns."""
        best: tuple[float, int, list[_Fit]] | None = None
        for turns in turns_to_try:
            turned = np.ascontiguousarray(np.rot90(pixels, turns))
            is_first = look == self._whole and turns == 0
            least = max(self._config.mesh_logit, -math.inf if is_first else SECOND_LOGIT)
            fits = self._fits(turned, look(turned), least)
            quality = max((fit.quality for fit in fits), default=-math.inf)
            if fits and (best is None or quality > best[0]):
                best = quality, turns, fits
            if any(fit.sure for fit in fits):
                best = quality, turns, fits
                break
        if best is None:
            return []
        return [self._mesh(fit, best[1], pixels.shape) for fit in best[2]]

    def _profiles(self, pixels: NDArray[np.uint8]) -> list[FaceMesh]:
        """Return faces that look so far aside that the mesh net doubts them."""
        fits = self._fits(pixels, self._whole(pixels), PROFILE_LOGIT)
        return [
            self._mesh(fit, 0, pixels.shape)
            for fit in fits
            if abs(yaw_deg(fit.points)) > PROFILE_DEG
        ]

    def _whole(self, pixels: NDArray[np.uint8]) -> list[Detection]:
        """Return what the detectors see in the whole image, the near faces first."""
        return [
            face
            for detector in (self._near, self._far)
            for face in detector.detect(pixels)[: self._config.max_faces]
        ]

    def _tiled(self, pixels: NDArray[np.uint8]) -> list[Detection]:
        """Return what the far detector sees in tiles of the image, largest first.

        Faces on several tiles come several times. One tile alone shows nothing new.
        """
        corners = list(tiles(*pixels.shape[:2]))
        if len(corners) == 1:
            return []
        found = [
            face.moved(left, top)
            for left, top in corners
            for face in self._far.detect(pixels[top : top + TILE_PX, left : left + TILE_PX])
        ]
        return sorted(found, key=lambda face: -face.size_px)[: 4 * self._config.max_faces]

    def _fits(
        self, pixels: NDArray[np.uint8], detections: list[Detection], min_logit: float
    ) -> list[_Fit]:
        """Return the believable meshes in an image, largest first and each face once."""
        fits: list[_Fit] = []
        for detection in detections:
            if self._known(detection.box, fits):
                continue
            fit = _Fit(*self._fitter.fit(pixels, Region.of_detection(detection)))
            stands = abs(roll_deg(fit.points)) <= self._config.max_roll_deg
            if fit.logit >= min_logit and stands and not self._known(fit.box, fits):
                fits.append(fit)
        return sorted(fits, key=lambda fit: -face_px(fit.points))[: self._config.max_faces]

    def _known(self, box: Array, fits: list[_Fit]) -> bool:
        """Return whether a box is about a face that already has a mesh."""
        if not fits:
            return False
        shared = overlap(box, np.stack([fit.box for fit in fits]))
        return float(shared.max()) > self._config.overlap

    def _mesh(self, fit: _Fit, turns: int, shape: tuple[int, ...]) -> FaceMesh:
        """Return a fit in an image that was turned as a mesh on the image of this shape."""
        height, width = shape[:2]
        if turns % 2:
            height, width = width, height
        return FaceMesh(
            turn_points(fit.points, -turns, height, width),
            blendshapes(self._blendshapes, fit.points),
            1 / (1 + math.exp(-min(fit.logit, 80))),
        )


def _check(pixels: NDArray[np.uint8]) -> None:
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or not pixels.size:
        raise ValueError(f"want (H, W, 3) uint8, not {pixels.shape} {pixels.dtype}")


def _shrunk(pixels: NDArray[np.uint8], side: int) -> tuple[NDArray[np.uint8], float, float]:
    """Return the image with a longer side of at most `side` px, and its factors of x and y."""
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return pixels, 1, 1
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    return small, size[0] / width, size[1] / height
