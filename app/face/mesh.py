"""The 478-point mesh of one face, in image px.

H/W pixels, K mesh points (478). Sources: mediapipe@3b85afc
tasks/cc/vision/face_landmarker/face_landmarks_detector_graph.cc (crop x1.5 along the eye line,
square of the longer side) and calculators/util/landmark_projection_calculator.cc.
"""

import math
from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from app.face.detector import Array, Detection, Runner
from app.topology import LEFT_EYE_OUTER, RIGHT_EYE_OUTER
from app.values import MESH_POINTS

INPUT_PX = 256
MARGIN = 1.5


@dataclass(frozen=True, slots=True)
class Region:
    """A turned square of the image that the mesh net looks at.

    Attributes:
        x, y: its centre, image px.
        side: image px, > 0.
        angle: radians that its upper edge is turned clockwise, as seen.
    """

    x: float
    y: float
    side: float
    angle: float

    @classmethod
    def of_detection(cls, face: Detection) -> Self:
        """Return the square around a detected face, turned by the line through its eyes."""
        x0, y0, x1, y1 = (float(value) for value in face.box)
        angle = _direction(face.key_points[0], face.key_points[1])
        return cls((x0 + x1) / 2, (y0 + y1) / 2, max(face.size_px, 1) * MARGIN, angle)

    @classmethod
    def of_points(cls, points: Array) -> Self:
        """Return the square around a mesh, (478, 2 or more) image px.

        Deviates from the source: the box is measured along the eye line, not along the image's
        edges, so that a tilted face fills the crop as an upright one does.
        """
        angle = _direction(points[LEFT_EYE_OUTER], points[RIGHT_EYE_OUTER])
        turned = points[:, :2] @ _rotation(angle)
        low, high = turned.min(axis=0), turned.max(axis=0)
        x, y = _rotation(angle) @ ((low + high) / 2)
        return cls(float(x), float(y), max(float((high - low).max()), 1) * MARGIN, angle)

    def to_image(self, points: Array) -> Array:
        """Return (K, 3) points of the net's input, in its px, as image px; z is scaled alike."""
        scale = self.side / INPUT_PX
        flat = (points[:, :2] - INPUT_PX / 2) @ _rotation(self.angle).T * scale
        flat += np.array([self.x, self.y])
        return np.column_stack([flat, points[:, 2] * scale]).astype(np.float32)

    def crop(self, pixels: NDArray[np.uint8]) -> Array:
        """Return the square as (256, 256, 3) float32 in [0, 1]; edge pixels repeat outside.

        Args:
            pixels: (H, W, 3) uint8.
        """
        shrink = INPUT_PX / self.side
        scale_x = scale_y = 1.0
        if shrink < 0.5:
            # Bilinear sampling alone would skip pixels.
            height, width = pixels.shape[:2]
            size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
            scale_x, scale_y = size[0] / width, size[1] / height
            pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
        linear = _rotation(self.angle) * (self.side / INPUT_PX)
        linear = np.diag([scale_x, scale_y]) @ linear
        centre = np.array([self.x * scale_x, self.y * scale_y])
        # OpenCV counts from pixel centres, so half a pixel goes in and comes out.
        offset = centre + linear @ np.full(2, 0.5 - INPUT_PX / 2) - 0.5
        crop = cv2.warpAffine(
            pixels,
            np.column_stack([linear, offset]),
            (INPUT_PX, INPUT_PX),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return crop.astype(np.float32) / np.float32(255)


def _direction(left: Array, right: Array) -> float:
    """Return the angle of the line between two points, radians, clockwise as seen."""
    return math.atan2(float(right[1] - left[1]), float(right[0] - left[0]))


def _rotation(angle: float) -> NDArray[np.float64]:
    """Return the (2, 2) matrix that turns column vectors clockwise as seen (y points down)."""
    cos, sin = math.cos(angle), math.sin(angle)
    return np.array([[cos, -sin], [sin, cos]])


class MeshFitter:
    """Fits the mesh to the face inside a region.

    Args:
        net: takes (1, 256, 256, 3) in [0, 1]; gives `Identity`, 478 x 3 in its px, and
            `Identity_1`, the logit that there is a face.
        passes: how often to fit, each time cropping around the mesh before.
    """

    def __init__(self, net: Runner, passes: int) -> None:
        self._net = net
        self._passes = passes

    def fit(self, pixels: NDArray[np.uint8], region: Region) -> tuple[Array, float]:
        """Return (478, 3) float32 points in image px, and the logit that they are on a face.

        Args:
            pixels: (H, W, 3) uint8 RGB.
            region: where the face is.
        """
        points, logit = self._fit_once(pixels, region)
        for _ in range(self._passes - 1):
            points, logit = self._fit_once(pixels, Region.of_points(points))
        return points, logit

    def _fit_once(self, pixels: NDArray[np.uint8], region: Region) -> tuple[Array, float]:
        outputs = self._net.run(region.crop(pixels)[None])
        points = outputs["Identity"].reshape(MESH_POINTS, 3)
        return region.to_image(points), float(outputs["Identity_1"].item())
