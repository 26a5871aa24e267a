"""Contact sheets: what a person should look at before trusting any number.

T frames, H/W pixels, C cell side px.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from app.quality.watching import eye_distance
from app.topology import INNER_LIP_LOWER, INNER_LIP_UPPER

CELL_PX = 192
COLUMNS = 8
CLOSE_UP_EYES = 1.1
"""Side of a mouth close-up, in distances between the outer eye corners."""

CLOSE_UP_ZOOM = 3
"""How many times as large as in the video a word's mouths are drawn."""

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]


def contact_sheet(frames: Sequence[Image] | Image, points: Floats) -> Image:
    """Return one picture: whole frames over the clip, consecutive mouths, and where it moves.

    Row 1 spreads over the whole clip. Rows 2 and 3 are mouth close-ups of consecutive frames from
    its middle. Row 4 shows ten times the change against the first frame, under row 1's frames.

    Args:
        frames: T of (H, W, 3) uint8 RGB.
        points: (T, 478, 2 or more) float32, the meshes in them, px.
    """
    spread = np.linspace(0, len(frames) - 1, COLUMNS).astype(int)
    middle = len(frames) // 2
    near = range(middle, min(middle + 2 * COLUMNS, len(frames)))
    whole = [_fitted(frames[i]) for i in spread]
    mouths = [mouth(frames[i], points[i]) for i in near]
    heat = [_fitted(_change(frames[i], frames[0])) for i in spread]
    rows = [whole, mouths[:COLUMNS], mouths[COLUMNS:], heat]
    return np.vstack([_row(row) for row in rows if row])


def word_sheet(frames: Sequence[Image] | Image, points: Floats, first: int) -> Image:
    """Return eight consecutive frames from `first` on, and their mouths at three times the size."""
    chosen = range(first, min(first + COLUMNS, len(frames)))
    whole = [_fitted(frames[i]) for i in chosen]
    mouths = [mouth(frames[i], points[i], CLOSE_UP_ZOOM) for i in chosen]
    return np.vstack([_row(whole), _row(mouths)])


def liveliest(gap: Floats) -> int:
    """Return where the eight frames begin in which a gap (T,) changes most."""
    changes = np.abs(np.diff(gap, prepend=gap[:1]))
    sums = np.convolve(changes, np.ones(COLUMNS), "valid") if len(gap) >= COLUMNS else np.zeros(1)
    return int(sums.argmax())


def mouth(frame: Image, points: Floats, zoom: float | None = None) -> Image:
    """Return the mouth, (C, C, 3), `zoom` times its size or as large as the eyes say."""
    lips = points[[*INNER_LIP_UPPER, *INNER_LIP_LOWER], :2]
    scale = zoom or CELL_PX / (CLOSE_UP_EYES * max(eye_distance(points), 1e-6))
    x, y = lips.mean(axis=0) * scale - CELL_PX / 2
    affine = np.array([[scale, 0, -x], [0, scale, -y]], np.float32)
    return cv2.warpAffine(frame, affine, (CELL_PX, CELL_PX), flags=cv2.INTER_CUBIC).astype(np.uint8)


def _change(frame: Image, first: Image) -> Image:
    """Return ten times the absolute difference of two frames."""
    change = cv2.absdiff(frame, first).astype(np.float32) * 10
    return np.clip(change, 0, 255).astype(np.uint8)


def _fitted(frame: Image) -> Image:
    """Return the frame inside a square of the close-ups' size."""
    scale = CELL_PX / max(frame.shape[:2])
    small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    square = np.zeros((CELL_PX, CELL_PX, 3), np.uint8)
    square[: small.shape[0], : small.shape[1]] = small
    return square


def _row(images: list[Image]) -> Image:
    """Return the images side by side, filled up to a row's width."""
    blank = np.zeros_like(images[0])
    return np.hstack(images + [blank] * (COLUMNS - len(images)))
