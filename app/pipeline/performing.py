"""Where a driving performance comes from: a video as it plays, or a motion sequence.

T frames.
"""

from collections.abc import Awaitable, Callable
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.driving import Performance
from app.pipeline.footage import Footage
from app.pipeline.holding import Holding

Watch = Callable[[NDArray[np.uint8], NDArray[np.float32]], Awaitable[Performance]]
"""Returns what faces do: pictures (T, H, W, 3) uint8 RGB and mesh points (T, 478, 3) px in."""


class DrivingVideo:
    """The performance of a video, made while it plays; frames without the face are filled.

    Args:
        footage: of the video.
        watch: sees what faces do.
        first: T = 1, of the first frame that shows the face.
        fps: of the session.
    """

    def __init__(
        self, footage: Footage[Any], watch: Watch, first: Performance, fps: Fraction
    ) -> None:
        self._footage = footage
        self._watch = watch
        self._holding = Holding(first, float(1 / fps))
        self.frames_without_face = 0

    async def perform(self, frames: slice) -> Performance:
        """Return the performance of frames [start, stop), which follow those before."""
        shot = await self._footage.shot(frames)
        seen, performance = shot.seen, None
        if seen.any():
            performance = await self._watch(shot.pixels[seen], shot.points[seen])
        self.frames_without_face += int((~seen).sum())
        return self._holding.fill(seen, performance)


class DrivingSequence:
    """The performance of a motion sequence at another frame rate, there and back without end.

    Args:
        performance: the whole sequence.
        sequence_fps: its rate.
        fps: of the session.
    """

    frames_without_face = 0

    def __init__(self, performance: Performance, sequence_fps: Fraction, fps: Fraction) -> None:
        self._rows = performance.rows()
        self._step = sequence_fps / fps

    async def perform(self, frames: slice) -> Performance:
        """Return frames [start, stop); between the sequence's frames it is interpolated."""
        length = len(self._rows)
        places = [_folded(frame * self._step, length) for frame in range(frames.start, frames.stop)]
        before = np.array([int(place) for place in places])
        share = np.array([float(place % 1) for place in places], np.float32)[:, None]
        after = np.minimum(before + 1, length - 1)
        first, second = self._rows[before], self._rows[after]
        return Performance.of_rows(first + share * (second - first))


def _folded(place: Fraction, length: int) -> Fraction:
    """Return a place in [0, length - 1] that runs there and back as `place` goes on."""
    if length == 1:
        return Fraction(0)
    turn = 2 * (length - 1)
    return min(place % turn, turn - place % turn)
