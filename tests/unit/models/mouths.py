"""A drawn face and its mesh: what the mouth tests look at. No photo, no net, no chance."""

import cv2
import numpy as np
from numpy.typing import NDArray

from app import topology
from app.pipeline.mouth import NOSE_BASE

MOUTH_Y = 84.0
MOUTH_HALF_PX = 40.0
CHIN_Y = 168.0


def mesh(gap_px: float = 0.0) -> NDArray[np.float32]:
    """Return (478, 2) float32, a frontal face in a crop of 256 px, its lips `gap_px` apart."""
    points = np.full((478, 2), (128.0, 20.0), np.float32)
    for index, side in zip(topology.EYE_CORNERS, (-80, -33, 33, 80), strict=True):
        points[index] = (128 + side, -45)
    points[list(NOSE_BASE)] = (128.0, 46.0)
    points[topology.CHIN] = (128.0, CHIN_Y)
    for index, side in ((205, -55), (425, 55), (187, -62), (411, 62)):
        points[index] = (128 + side, 60)
    share = np.linspace(-1, 1, 11)
    x = 128 + MOUTH_HALF_PX * share
    lens = 1 - share**2
    heights = {
        topology.OUTER_LIP_UPPER: MOUTH_Y - (gap_px / 2 + 11) * lens,
        topology.OUTER_LIP_LOWER: MOUTH_Y + (gap_px / 2 + 14) * lens,
        topology.INNER_LIP_UPPER: MOUTH_Y - gap_px / 2 * lens,
        topology.INNER_LIP_LOWER: MOUTH_Y + gap_px / 2 * lens,
    }
    for path, y in heights.items():
        points[list(path)] = np.stack([x, y], axis=1)
    return points


def crop(gap_px: float = 0.0) -> NDArray[np.uint8]:
    """Return (256, 256, 3) uint8 RGB: skin with a soft pattern, red lips, white teeth in a gap."""
    y, x = np.mgrid[0:256, 0:256]
    pattern = 8 * np.sin(x / 9) * np.cos(y / 11)
    image: NDArray[np.uint8] = (np.array([205.0, 160, 135]) + pattern[:, :, None]).astype(np.uint8)
    points = mesh(gap_px)
    for ring, colour in (
        (topology.OUTER_LIPS, (170, 70, 70)),
        (topology.INNER_LIPS, (240, 238, 230)),
    ):
        if ring is topology.INNER_LIPS and not gap_px:
            continue
        cv2.fillPoly(image, [np.rint(points[list(ring)]).astype(np.int32)], colour, cv2.LINE_AA)
    return image
