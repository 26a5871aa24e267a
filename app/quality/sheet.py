"""Contact sheets: what a person should look at before trusting any number.

T frames, H/W pixels, C close-up side px.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from app.face.analyzer import FaceAnalyzer
from app.topology import INNER_LIP_LOWER, INNER_LIP_UPPER, LEFT_EYE_OUTER, RIGHT_EYE_OUTER

CLOSE_UP_PX = 192
CLOSE_UP_EYES = 1.6
"""Side of a mouth close-up, in distances between the outer eye corners."""

Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Figures:
    """What the frames say in numbers.

    Attributes:
        faces_found: share of the frames in which the face was found again, in [0, 1].
        opening: range of the inner-lip gap between its 5th and 95th percentile, eye distances.
        loud_opening: correlation of the inner-lip gap with the sound's level, in [-1, 1].
        border_change: mean absolute change of the outermost tenth of the picture over time, of
            255; the encoder's own noise is in it.
    """

    faces_found: float
    opening: float
    loud_opening: float
    border_change: float


def lip_gap(points: NDArray[np.float32]) -> float:
    """Return the mean inner-lip gap in distances between the outer eye corners.

    Args:
        points: (478, 2 or more) float32 image px.
    """
    upper = points[list(INNER_LIP_UPPER)[2:-2], :2]
    lower = points[list(INNER_LIP_LOWER)[2:-2], :2]
    eyes = float(np.linalg.norm(points[RIGHT_EYE_OUTER, :2] - points[LEFT_EYE_OUTER, :2]))
    return float(np.linalg.norm(lower - upper, axis=1).mean()) / eyes


def judge(frames: list[Image], level: NDArray[np.float32], analyzer: FaceAnalyzer) -> Figures:
    """Return the figures of a decoded video.

    Args:
        frames: (H, W, 3) uint8 RGB each.
        level: (T,) float32, the sound's RMS level beneath each frame, dB.
        analyzer: finds the face again.
    """
    gaps, nan = [], float("nan")
    for frame in frames:
        meshes = analyzer.analyze(frame)
        gaps.append(lip_gap(meshes[0].points) if meshes else nan)
    gap = np.array(gaps)
    seen = ~np.isnan(gap)
    height, width = frames[0].shape[:2]
    border = np.ones((height, width), bool)
    border[height // 20 : -height // 20, width // 20 : -width // 20] = False
    border[height // 2 :] = False  # shoulders may follow the head
    first = frames[0][border].astype(np.int16)
    changes = [np.abs(frame[border].astype(np.int16) - first).mean() for frame in frames[::5]]
    return Figures(
        faces_found=float(seen.mean()),
        opening=float(np.subtract(*np.percentile(gap[seen], [95, 5]))) if seen.any() else nan,
        loud_opening=float(np.corrcoef(gap[seen], level[seen])[0, 1]) if seen.any() else nan,
        border_change=float(np.mean(changes)),
    )


def contact_sheet(frames: list[Image], analyzer: FaceAnalyzer, columns: int = 8) -> Image:
    """Return one picture: whole frames over the clip, consecutive mouths, and where it moves.

    Row 1 spreads over the whole clip. Rows 2 and 3 are mouth close-ups of consecutive frames from
    its middle. Row 4 shows ten times the change against the first frame, under row 1's frames.
    """
    spread = np.linspace(0, len(frames) - 1, columns).astype(int)
    middle = len(frames) // 2
    near = range(middle, min(middle + 2 * columns, len(frames)))
    whole = [_fitted(frames[i]) for i in spread]
    mouths = [_close_up(frames[i], analyzer) for i in near]
    heat = [_fitted(_change(frames[i], frames[0])) for i in spread]
    rows = [whole, mouths[:columns], mouths[columns:], heat]
    return np.vstack([_row(row, columns) for row in rows if row])


def _close_up(frame: Image, analyzer: FaceAnalyzer) -> Image:
    """Return the mouth, (C, C, 3); grey where no face is found."""
    meshes = analyzer.analyze(frame)
    if not meshes:
        return np.full((CLOSE_UP_PX, CLOSE_UP_PX, 3), 128, np.uint8)
    points = meshes[0].points[:, :2]
    lips = points[[*INNER_LIP_UPPER, *INNER_LIP_LOWER]]
    eyes = float(np.linalg.norm(points[RIGHT_EYE_OUTER] - points[LEFT_EYE_OUTER]))
    scale = CLOSE_UP_PX / (CLOSE_UP_EYES * eyes)
    x, y = lips.mean(axis=0) * scale - CLOSE_UP_PX / 2
    affine = np.array([[scale, 0, -x], [0, scale, -y]], np.float32)
    size = (CLOSE_UP_PX, CLOSE_UP_PX)
    return cv2.warpAffine(frame, affine, size, flags=cv2.INTER_CUBIC).astype(np.uint8)


def _change(frame: Image, first: Image) -> Image:
    """Return ten times the absolute difference of two frames."""
    change = cv2.absdiff(frame, first).astype(np.float32) * 10
    return np.clip(change, 0, 255).astype(np.uint8)


def _fitted(frame: Image) -> Image:
    """Return the frame inside a square of the close-ups' size."""
    scale = CLOSE_UP_PX / max(frame.shape[:2])
    small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    square = np.zeros((CLOSE_UP_PX, CLOSE_UP_PX, 3), np.uint8)
    square[: small.shape[0], : small.shape[1]] = small
    return square


def _row(images: list[Image], columns: int) -> Image:
    """Return the images side by side, filled up to `columns`."""
    blank = np.zeros_like(images[0])
    return np.hstack(images + [blank] * (columns - len(images)))
