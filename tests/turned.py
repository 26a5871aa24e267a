"""Portraits turned by a known angle: the photo as a relief, seen from aside."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from app import topology
from app.values import FaceMesh

Image = NDArray[np.uint8]
Map = NDArray[np.float64]

SIDE_PX = 500
FINE = 2
GREY = 128


def turned(pixels: Image, mesh: FaceMesh, yaw_deg: float) -> Image:
    """Return the head of a frontal photo after a turn; positive turns the nose to the right.

    The mesh gives the depth of the face, an ellipsoid that of the rest of the head. What the photo
    does not show is smeared, so large turns are rough, but eyes, nose and mouth lie where they
    should.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        mesh: of the face in it.
        yaw_deg: in [-80, 80].
    """
    photo, points = _cut(pixels, mesh.points.astype(np.float64))
    depth = _depth(points, photo.shape[0], photo.shape[1])
    ears = points[[topology.LEFT_CHEEK, topology.RIGHT_CHEEK]]
    centre, width = ears[:, 0].mean(), np.linalg.norm(ears[1] - ears[0])
    return _seen(photo, depth - 0.35 * width, float(centre), math.radians(yaw_deg))


def _cut(pixels: Image, points: Map) -> tuple[Image, Map]:
    """Return the head enlarged to `SIDE_PX`, and the points in it; z from the cheeks."""
    cheeks = points[[topology.LEFT_CHEEK, topology.RIGHT_CHEEK]]
    middle, width = cheeks[:, :2].mean(axis=0), np.linalg.norm(cheeks[1, :2] - cheeks[0, :2])
    x0, y0 = np.maximum(0, middle - 1.1 * width).astype(int)
    x1, y1 = (middle + 1.2 * width).astype(int)
    crop = pixels[y0:y1, x0:x1]
    scale = SIDE_PX / max(crop.shape[:2])
    size = (round(crop.shape[1] * scale), round(crop.shape[0] * scale))
    moved = (points - np.array([x0, y0, cheeks[:, 2].mean()])) * scale
    return np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_CUBIC), np.uint8), moved


def _depth(points: Map, height: int, width: int) -> Map:
    """Return (H, W) px away from the camera."""
    from scipy.interpolate import LinearNDInterpolator  # type: ignore[import-untyped]

    y, x = np.mgrid[:height, :width] + 0.5
    face = LinearNDInterpolator(points[:468, :2], points[:468, 2])(x, y)
    cheeks = points[[topology.LEFT_CHEEK, topology.RIGHT_CHEEK]]
    (centre_x, centre_y), side = cheeks[:, :2].mean(axis=0), np.ptp(cheeks[:, 0])
    radius = ((x - centre_x) / (0.56 * side)) ** 2 + (
        (y - centre_y + 0.1 * side) / 0.85 / side
    ) ** 2
    skull = np.maximum(0.4 * side - 0.75 * side * np.sqrt(np.clip(1 - radius, 0, 1)), -0.05 * side)
    rest = np.where(radius < 1, np.minimum(skull, 0.35 * side), 0.6 * side)
    return np.asarray(cv2.GaussianBlur(np.where(np.isnan(face), rest, face), (0, 0), 2), np.float64)


def _seen(photo: Image, depth: Map, centre: float, yaw: float) -> Image:
    """Return the relief turned about the upright axis through `centre`, the near hiding the far."""
    height, width = photo.shape[:2]
    fine = np.asarray(cv2.resize(photo, None, fx=FINE, fy=FINE, interpolation=cv2.INTER_CUBIC))
    z = cv2.resize(depth, None, fx=FINE, fy=FINE)
    rows, columns = np.mgrid[: height * FINE, : width * FINE] / FINE
    x = columns - centre
    right = np.round(x * math.cos(yaw) - z * math.sin(yaw) + 0.8 * width).astype(int)
    away = x * math.sin(yaw) + z * math.cos(yaw)
    out = np.full((height, round(1.6 * width), 3), GREY, np.uint8)
    hit = np.zeros(out.shape[:2], np.uint8)
    inside = (right >= 0) & (right < out.shape[1])
    order = np.argsort(-away[inside])
    at = rows[inside].astype(int)[order], right[inside][order]
    out[at] = fine[inside][order]
    hit[at] = 1
    closed = cv2.morphologyEx(hit, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    holes = ((hit == 0) & (closed == 1)).astype(np.uint8)
    return np.asarray(cv2.inpaint(out, holes, 3, cv2.INPAINT_TELEA), np.uint8)
