"""What one video costs and whether it keeps up, recorded while it is rendered."""

import math
import time
from collections.abc import Callable
from fractions import Fraction
from typing import Protocol

from app.observability.metrics import (
    AV_OFFSET,
    ENCODE,
    FIRST_FRAGMENT,
    FRAMES,
    LATE_FRAMES,
    REAL_TIME,
    VIDEO,
    Metric,
)


class Recorder(Protocol):
    """Takes what is counted and observed: `app.serving.meters.Meters`."""

    def count(self, metric: Metric, more: float = 1, **labels: str) -> None:
        """Add to a counter."""
        ...

    def observe(self, metric: Metric, value: float, **labels: str) -> None:
        """Put a value into a histogram."""
        ...


class ClipMeter:
    """Records one video. Its viewer starts with the first fragment and plays at the video's rate.

    A reader that holds rendering back makes frames late, too.

    Args:
        recorder: of the replica.
        route: that is answered.
        now_s: wall clock in seconds, from any start.
    """

    def __init__(
        self, recorder: Recorder, route: str, now_s: Callable[[], float] = time.perf_counter
    ) -> None:
        self._recorder = recorder
        self._route = route
        self._now_s = now_s
        self._began_s = self._rendering_s = self._shown_s = now_s()
        self._frames = 0

    def rendering(self) -> None:
        """Note that all is prepared and frames are being made."""
        self._rendering_s = self._now_s()

    def encoded(self, frames: int, fps: Fraction, encode_s: float) -> None:
        """Record a group: its frames, the video's rate, and how long encoding took."""
        now_s = self._now_s()
        if not self._frames:
            self._shown_s = now_s
        # Frame i is due at i / fps: all of this group that are due before now came too late.
        due = math.ceil((Fraction(now_s) - Fraction(self._shown_s)) * fps)
        late = min(max(due - self._frames, 0), frames)
        self._frames += frames
        self._recorder.count(FRAMES, frames, route=self._route)
        self._recorder.count(LATE_FRAMES, late, route=self._route)
        self._recorder.count(ENCODE, encode_s, route=self._route)

    def began(self) -> None:
        """Record that the first bytes exist."""
        waited_s = self._now_s() - self._began_s
        self._recorder.observe(FIRST_FRAGMENT, waited_s, route=self._route)

    def finished(self, fps: Fraction, offset_s: float) -> None:
        """Record a whole video, and how far its sound ends after its picture."""
        video_s = float(self._frames / fps)
        rendered_s = self._now_s() - self._rendering_s
        self._recorder.count(VIDEO, video_s, route=self._route)
        self._recorder.observe(AV_OFFSET, abs(offset_s), route=self._route)
        if video_s:
            self._recorder.observe(REAL_TIME, rendered_s / video_s, route=self._route)
