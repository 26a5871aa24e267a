"""All faces of an image."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.face.blendshapes import blendshapes
from app.face.choice import face_px
from app.face.config import FaceConfig
from app.face.detector import Array, Detector, overlap
from app.face.mesh import MeshFitter, Region
from app.face.nets import FaceNets, Net
from app.face.turns import roll_deg, turn_points
from app.values import FaceMesh

# Measured on six portraits turned in steps of 15 degrees, each searched after four quarter turns:
# right meshes have logits of 17.6 and more; of the upside-down ones (logits up to 28) none has
# both 16 and a roll under 30 degrees.
SURE_LOGIT = 16.0
SURE_ROLL_DEG = 30.0
LOGIT_CAP = 18.0
LOGIT_PER_DEG = 0.1


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
        self._detectors = (
            Detector.short_range(near, config.short_range_score, config.overlap),
            Detector.full_range(far, config.full_range_score, config.overlap),
        )
        self._fitter = MeshFitter(mesh, config.passes)
        self._blendshapes = scores

    def analyze(self, pixels: NDArray[np.uint8]) -> list[FaceMesh]:
        """Return the faces of an image, largest first; empty if there is none.

        An image with no face that surely stands upright is searched again after quarter turns,
        because the nets fit upside-down faces the wrong way round. The points are those of the
        image as given.

        Args:
            pixels: (H, W, 3) uint8 RGB, H and W > 0.

        Raises:
            ValueError: another shape or dtype.
        """
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or not pixels.size:
            raise ValueError(f"want (H, W, 3) uint8, not {pixels.shape} {pixels.dtype}")
        best: tuple[float, int, list[_Fit]] | None = None
        for turns in (0, 1, 3, 2):
            fits = self._fits(np.ascontiguousarray(np.rot90(pixels, turns)))
            if any(fit.sure for fit in fits):
                return self._meshes(fits, turns, pixels.shape)
            quality = max((fit.quality for fit in fits), default=-math.inf)
            if fits and (best is None or quality > best[0]):
                best = quality, turns, fits
        return self._meshes(best[2], best[1], pixels.shape) if best else []

    def _fits(self, pixels: NDArray[np.uint8]) -> list[_Fit]:
        """Return the believable meshes in an image, largest first and each face once."""
        fits: list[_Fit] = []
        for detector in self._detectors:
            for detection in detector.detect(pixels)[: self._config.max_faces]:
                if self._known(detection.box, fits):
                    continue
                fit = _Fit(*self._fitter.fit(pixels, Region.of_detection(detection)))
                believable = fit.logit >= self._config.mesh_logit
                stands = abs(roll_deg(fit.points)) <= self._config.max_roll_deg
                if believable and stands and not self._known(fit.box, fits):
                    fits.append(fit)
        return sorted(fits, key=lambda fit: -face_px(fit.points))[: self._config.max_faces]

    def _known(self, box: Array, fits: list[_Fit]) -> bool:
        """Return whether a box is about a face that already has a mesh."""
        if not fits:
            return False
        shared = overlap(box, np.stack([fit.box for fit in fits]))
        return float(shared.max()) > self._config.overlap

    def _meshes(self, fits: list[_Fit], turns: int, shape: tuple[int, ...]) -> list[FaceMesh]:
        """Return fits in an image that was turned as meshes on the image of this shape."""
        height, width = shape[:2]
        if turns % 2:
            height, width = width, height
        return [
            FaceMesh(
                turn_points(fit.points, -turns, height, width),
                blendshapes(self._blendshapes, fit.points),
                1 / (1 + math.exp(-min(fit.logit, 80))),
            )
            for fit in fits
        ]
