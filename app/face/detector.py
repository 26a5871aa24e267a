"""Face boxes and eye points from an image, by Google's BlazeFace detectors.

A anchors, N candidates, H/W pixels. Boxes are x0, y0, x1, y1. Sources: mediapipe@3b85afc
modules/face_detection/*.pbtxt, and of calculators/: tflite/ssd_anchors_calculator.cc,
tensor/tensors_to_detections_calculator.cc, util/non_max_suppression_calculator.cc.
"""

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

KEY_POINTS = 6


class Runner(Protocol):
    """A net that maps its one input to its outputs by name."""

    def run(self, image: Array) -> dict[str, Array]:
        """Return the outputs by name for one input."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """One face as the detector sees it.

    Attributes:
        box: (4,) float32 image px.
        key_points: (6, 2) float32 image px: image-left eye, image-right eye, nose tip, mouth,
            image-left ear, image-right ear.
        score: in [0, 1].
    """

    box: Array
    key_points: Array
    score: float

    @property
    def size_px(self) -> float:
        """The longer side of the box."""
        return float(max(self.box[2] - self.box[0], self.box[3] - self.box[1]))

    def moved(self, x: float, y: float) -> "Detection":
        """Return this face in an image in which (x, y) px is where this image begins."""
        offset = np.array([x, y], np.float32)
        box = (self.box.reshape(2, 2) + offset).ravel()
        return Detection(box, self.key_points + offset, self.score)


@dataclass(frozen=True, slots=True)
class Letterbox:
    """How an image was shrunk into the middle of a square.

    Attributes:
        scale_x, scale_y: square px per image px.
        left, top: px of the square before the image starts.
    """

    scale_x: float
    scale_y: float
    left: int
    top: int

    def to_image(self, points: Array) -> Array:
        """Return (..., 2) points of the square, in its px, as points of the image in px."""
        offset = np.array([self.left, self.top], np.float32)
        scale = np.array([self.scale_x, self.scale_y], np.float32)
        return (points - offset) / scale


def letterbox(pixels: NDArray[np.uint8], side: int) -> tuple[NDArray[np.uint8], Letterbox]:
    """Return the image inside a black (side, side, 3) square, and where it went.

    Args:
        pixels: (H, W, 3) uint8.
        side: of the square, px.
    """
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    new_width, new_height = max(1, round(width * scale)), max(1, round(height * scale))
    # Area averaging: a bilinear shrink aliases, and the detector then misses faces.
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(pixels, (new_width, new_height), interpolation=method)
    left, top = (side - new_width) // 2, (side - new_height) // 2
    square = np.zeros((side, side, 3), np.uint8)
    square[top : top + new_height, left : left + new_width] = small
    return square, Letterbox(new_width / width, new_height / height, left, top)


def anchors(grids: tuple[tuple[int, int], ...]) -> Array:
    """Return the (A, 2) float32 centres, x and y in (0, 1), that the net's offsets start from.

    Args:
        grids: for each output layer in order, cells per side and anchors per cell.
    """
    layers = []
    for cells, per_cell in grids:
        centres = (np.arange(cells, dtype=np.float32) + 0.5) / cells
        x, y = np.meshgrid(centres, centres)
        layers.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), per_cell, axis=0))
    return np.concatenate(layers)


def overlap(box: Array, boxes: Array) -> Array:
    """Return (N,) float32, the intersection over union of one box with (N, 4) others."""
    corner = np.maximum(box[:2], boxes[:, :2])
    extent = np.maximum(0, np.minimum(box[2:], boxes[:, 2:]) - corner)
    shared = extent[:, 0] * extent[:, 1]
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    union = (box[2] - box[0]) * (box[3] - box[1]) + areas - shared
    return np.asarray(shared / np.maximum(union, 1e-9), np.float32)


def suppress(coordinates: Array, scores: Array, threshold: float) -> list[tuple[Array, float]]:
    """Return one score-weighted mean, and the best score, per cluster of overlapping boxes.

    Args:
        coordinates: (N, 16) float32, a box and six points each.
        scores: (N,) float32 in [0, 1].
        threshold: intersection over union with the best box above which a box joins its cluster.
    """
    kept = []
    rest = np.argsort(-scores, kind="stable")
    while len(rest):
        joined = overlap(coordinates[rest[0], :4], coordinates[rest, :4]) > threshold
        joined[0] = True
        cluster = rest[joined]
        mean = np.average(coordinates[cluster], axis=0, weights=scores[cluster])
        kept.append((mean.astype(np.float32), float(scores[rest[0]])))
        rest = rest[~joined]
    return kept


class Detector:
    """One detector net with its anchors.

    Args:
        net: takes (1, side, side, 3) in [-1, 1] and gives (1, A, 16) and (1, A, 1).
        side: of the net's input, px.
        grids: of `anchors`.
        min_score: below it a box is dropped, in [0, 1].
        threshold: of `suppress`.
    """

    def __init__(
        self,
        net: Runner,
        side: int,
        grids: tuple[tuple[int, int], ...],
        min_score: float,
        threshold: float,
    ) -> None:
        self._net = net
        self._side = side
        self._anchors = anchors(grids)
        self._min_score = min_score
        self._threshold = threshold

    @classmethod
    def short_range(cls, net: Runner, min_score: float, threshold: float) -> "Detector":
        """Return the detector for faces higher than about 1/5 of the image."""
        return cls(net, 128, ((16, 2), (8, 6)), min_score, threshold)

    @classmethod
    def full_range(cls, net: Runner, min_score: float, threshold: float) -> "Detector":
        """Return the detector for faces down to about 1/10 of the image, roll below 45 degrees."""
        return cls(net, 192, ((48, 1),), min_score, threshold)

    def detect(self, pixels: NDArray[np.uint8]) -> list[Detection]:
        """Return the faces, largest first.

        Args:
            pixels: (H, W, 3) uint8 RGB.
        """
        square, placement = letterbox(pixels, self._side)
        outputs = self._net.run((square.astype(np.float32) / 127.5 - 1)[None])
        # The two outputs differ by their last dimension; their names differ from net to net.
        by_width = {output.shape[-1]: output[0] for output in outputs.values()}
        # Logits beyond +-100 overflow exp; upstream clips there too.
        scores = 1 / (1 + np.exp(-np.clip(by_width[1][:, 0], -80, 80)))
        likely = scores >= self._min_score
        coordinates = self._decode(by_width[4 + 2 * KEY_POINTS][likely], self._anchors[likely])
        found = []
        for row, score in suppress(coordinates, scores[likely], self._threshold):
            points = placement.to_image(row.reshape(-1, 2) * self._side)
            found.append(Detection(points[:2].ravel(), points[2:], score))
        return sorted(found, key=lambda face: -face.size_px)

    def _decode(self, raw: Array, centres: Array) -> Array:
        """Return (N, 16) float32 boxes and points in [0, 1] of the square from raw offsets."""
        pairs = raw.reshape(-1, 2 + KEY_POINTS, 2) / self._side
        centre = pairs[:, 0] + centres
        half = pairs[:, 1] / 2
        points = pairs[:, 2:] + centres[:, None]
        corners = np.stack([centre - half, centre + half], axis=1)
        return np.concatenate([corners, points], axis=1).reshape(-1, 4 + 2 * KEY_POINTS)
