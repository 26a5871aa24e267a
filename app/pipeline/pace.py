"""How fast a session renders: as fast as it can, or as fast as its video plays."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterator
from fractions import Fraction
from typing import Protocol

from app.pipeline.config import SessionConfig

LATE_S = 0.5
"""A frame is late whose bytes come later than this after the first fragment and its own time."""


class Pace(Protocol):
    """Cuts a session into groups of frames, and says when each may be begun."""

    def groups(self, num_frames: int) -> Iterator[slice]:
        """Yield the groups in order; together they are all frames."""
        ...

    async def allow(self, frames: slice) -> None:
        """Return once a group may be begun."""
        ...

    def handed(self, frames: int) -> int:
        """Note that the next frames are handed to the client now; return how many were late."""
        ...


class FreePace:
    """Renders as fast as it can; no frame is late."""

    def __init__(self, config: SessionConfig) -> None:
        self._group_frames = config.group_frames

    def groups(self, num_frames: int) -> Iterator[slice]:
        """Yield groups of `group_frames`."""
        for start in range(0, num_frames, self._group_frames):
            yield slice(start, min(start + self._group_frames, num_frames))

    async def allow(self, frames: slice) -> None:
        """Return at once."""

    def handed(self, frames: int) -> int:
        """Return 0."""
        return 0


class LivePace:
    """Renders as fast as the video plays: at most `live_lead_s` ahead of its viewer.

    The viewer starts when the first frames are handed over. Until then nothing waits; a session
    that fell behind does not wait either, until it has its lead again.

    Args:
        fps: of the video.
        config: sizes of groups, and the lead.
        now_s: wall clock in seconds, from any start.
        sleep: waits for so many seconds.
    """

    def __init__(
        self,
        fps: Fraction,
        config: SessionConfig,
        now_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._fps = fps
        self._lead_s = config.live_lead_s
        self._largest = max(1, min(config.group_frames, math.floor(config.live_lead_s * fps)))
        self._first = min(config.live_group_frames, self._largest)
        self._now_s, self._sleep = now_s, sleep
        self._began_s: float | None = None
        self._handed = 0

    def groups(self, num_frames: int) -> Iterator[slice]:
        """Yield a small group for an early start, then ever larger ones, which cost less."""
        start, size = 0, self._first
        while start < num_frames:
            stop = min(start + size, num_frames)
            yield slice(start, stop)
            start, size = stop, min(2 * size, self._largest)

    async def allow(self, frames: slice) -> None:
        """Return once the last frame of a group that the group hands over is within the lead.

        The very last one stays in the muxer until another follows it.
        """
        if self._began_s is None:
            return
        due_s = self._began_s + float((frames.stop - 2) / self._fps) - self._lead_s
        wait_s = due_s - self._now_s()
        if wait_s > 0:
            await self._sleep(wait_s)

    def handed(self, frames: int) -> int:
        """Note that the next frames are handed to the client now; return how many were late."""
        if not frames:
            return 0
        now_s = self._now_s()
        if self._began_s is None:
            self._began_s = now_s
        # Of frame i the bytes are due LATE_S + i / fps after the first ones.
        due = math.ceil((now_s - self._began_s - LATE_S) * self._fps)
        late = min(max(due - self._handed, 0), frames)
        self._handed += frames
        return late
