"""Who plays a video while it is made, and how far ahead of that its making is."""

import math
import time
from collections.abc import Callable
from fractions import Fraction

LATE_S = Fraction(1, 2)
"""Frame i is late if its bytes come more than this after the first fragment's, plus i / fps."""


class Viewer:
    """Starts once the first frames are handed over, and plays at the video's rate from then on.

    Args:
        fps: of the video.
        now_s: wall clock in seconds, from any start.

    Attributes:
        late_frames: how many have been late so far.
    """

    def __init__(self, fps: Fraction, now_s: Callable[[], float] = time.perf_counter) -> None:
        self._fps = fps
        self._now_s = now_s
        self._began_s: float | None = None
        self._handed = 0
        self.late_frames = 0

    def handed(self, frames: int) -> int:
        """Note that the next frames are handed to the client now; return how many were late.

        A reader that holds rendering back makes frames late, too.
        """
        if not frames:
            return 0
        now_s = self._now_s()
        if self._began_s is None:
            self._began_s = now_s
        due = math.ceil((Fraction(now_s) - Fraction(self._began_s) - LATE_S) * self._fps)
        late = min(max(due - self._handed, 0), frames)
        self._handed += frames
        self.late_frames += late
        return late

    def until_s(self, frame: int) -> float:
        """Return the seconds until a frame is shown; none before the viewer has started."""
        if self._began_s is None:
            return 0.0
        return self._began_s + float(frame / self._fps) - self._now_s()
