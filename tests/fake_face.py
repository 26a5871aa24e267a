"""A painted face with a mesh that fits it, the same on every machine."""

import cv2
import numpy as np
from numpy.typing import NDArray

from app import topology
from app.values import FaceMesh, Portrait

Points = NDArray[np.float64]

WIDTH, DEPTH = 0.84, 0.42
EYE_X, EYE_Y, EYE_HALF, EYE_OPEN = 0.19, -0.08, 0.085, 0.05
NOSE_Y = 0.1


def fake_mesh(centre: tuple[float, float], height_px: float, roll_deg: float = 0.0) -> FaceMesh:
    """Return a frontal mesh whose face, forehead to chin, is `height_px` high."""
    turn = np.arange(478) * np.pi * (3 - np.sqrt(5))
    reach = 0.95 * np.sqrt((np.arange(478) + 0.5) / 478)
    xy = np.stack([reach * np.cos(turn) * WIDTH / 2, reach * np.sin(turn) / 2], 1)
    around = np.linspace(0, 2 * np.pi, len(topology.FACE_OVAL), endpoint=False)
    oval = np.stack([np.sin(around) * WIDTH / 2, -np.cos(around) / 2], 1)
    xy[list(topology.FACE_OVAL)] = oval
    across = np.linspace(-1, 1, 9)
    for side, upper, lower, brow, iris in (
        (-1, topology.LEFT_EYE_UPPER, topology.LEFT_EYE_LOWER, topology.LEFT_BROW_LOWER, 468),
        (1, topology.RIGHT_EYE_UPPER, topology.RIGHT_EYE_LOWER, topology.RIGHT_BROW_LOWER, 473),
    ):
        bow = EYE_OPEN * (1 - across**2)
        xy[list(upper)] = np.stack([side * EYE_X + EYE_HALF * across, EYE_Y - bow], 1)
        xy[list(lower)] = np.stack([side * EYE_X + EYE_HALF * across, EYE_Y + bow], 1)
        xy[list(brow), 0] = side * EYE_X + 0.1 * np.linspace(-1, 1, 5)
        xy[list(brow), 1] = EYE_Y - 0.13
        xy[iris : iris + 5] = side * EYE_X, EYE_Y
    xy[topology.NOSE_TIP] = 0, NOSE_Y
    radius = np.clip((xy[:, 0] / (WIDTH / 2)) ** 2 + (xy[:, 1] / 0.5) ** 2, 0, 1)
    nose = 0.12 * np.exp(-((xy[:, 0] / 0.08) ** 2) - ((xy[:, 1] - NOSE_Y) / 0.12) ** 2)
    z = 0.2 - DEPTH * np.sqrt(1 - 0.95 * radius) - nose
    roll = np.radians(roll_deg)
    turned = xy @ np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
    points = np.concatenate([turned * height_px + centre, z[:, None] * height_px], 1)
    return FaceMesh(points.astype(np.float32), np.zeros(52, np.float32), 1.0)


def fake_portrait(mesh: FaceMesh, height: int, width: int) -> Portrait:
    """Return a photo of a bald head with white eyes and a red nose before a striped wall."""
    y, x = np.mgrid[:height, :width]
    wall = 110 + 50 * np.sin(x / 5.0) * np.cos(y / 7.0)
    pixels = np.repeat(wall[..., None], 3, 2).astype(np.uint8)
    points = mesh.points[:, :2]
    chin, forehead = points[topology.CHIN], points[topology.FOREHEAD]
    size = float(np.linalg.norm(chin - forehead))
    middle = (chin + forehead) / 2 - (chin - forehead) * 0.1
    _ellipse(pixels, middle, (0.46 * size, 0.62 * size), (205, 160, 130))
    for ring, iris in ((topology.LEFT_EYE_RING, 468), (topology.RIGHT_EYE_RING, 473)):
        outline = np.round((points[list(ring)] - 0.5) * 16).astype(np.int32)
        cv2.fillPoly(pixels, [outline], (245, 245, 245), cv2.LINE_AA, 4)
        _ellipse(pixels, points[iris], (0.035 * size, 0.035 * size), (60, 40, 30))
    _ellipse(pixels, points[topology.NOSE_TIP], (0.05 * size, 0.05 * size), (220, 20, 20))
    return Portrait(pixels)


def _ellipse(
    pixels: NDArray[np.uint8],
    centre: NDArray[np.float32],
    radii: tuple[float, float],
    colour: tuple[int, int, int],
) -> None:
    at = np.round((centre - 0.5) * 16).astype(int)
    axes = (round(radii[0] * 16), round(radii[1] * 16))
    cv2.ellipse(pixels, (int(at[0]), int(at[1])), axes, 0, 0, 360, colour, -1, cv2.LINE_AA, 4)
