"""How fast a session renders: as fast as it can, or as fast as its video plays."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterator
from fractions import Fraction
from typing import Protocol

from app.pipeline.config import SessionConfig
from app.pipeline.viewer import Viewer


class Pace(Protocol):
    """Cuts a session into groups of frames, and says when each may be begun."""

    def groups(self, num_frames: int) -> Iterator[slice]:
        """Yield the groups in order; together they are all frames."""
        ...

    async def allow(self, frames: slice) -> None:
        """Return once a group may be begun."""
        ...


class FreePace:
    """Renders as fast as it can."""

    def __init__(self, config: SessionConfig) -> None:
        self._group_frames = config.group_frames

    def groups(self, num_frames: int) -> Iterator[slice]:
        """Yield groups of `group_frames`."""
        for start in range(0, num_frames, self._group_frames):
            yield slice(start, min(start + self._group_frames, num_frames))

    async def allow(self, frames: slice) -> None:
        """Return at once."""


class LivePace:
    """Renders as fast as the video plays: at most `live_lead_s` ahead of its viewer.

    Until the viewer has started nothing waits. Nor does a session that fell behind, until it has
    its lead again.

    Args:
        fps: of the video.
        config: sizes of groups, and the lead.
        viewer: of the video.
        sleep: waits for so many seconds.
    """

    def __init__(
        self,
        fps: Fraction,
        config: SessionConfig,
        viewer: Viewer,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._lead_s = config.live_lead_s
        self._largest = max(1, min(config.group_frames, math.floor(config.live_lead_s * fps)))
        self._first = min(config.live_group_frames, self._largest)
        self._viewer = viewer
        self._sleep = sleep

    def groups(self, num_frames: int) -> Iterator[slice]:
        """Yield a small group for an early start, then ever larger ones, which cost less."""
        start, size = 0, self._first
        while start < num_frames:
            stop = min(start + size, num_frames)
            yield slice(start, stop)
            start, size = stop, min(2 * size, self._largest)

    async def allow(self, frames: slice) -> None:
        """Return once all of a group that leaves the muxer is within the lead.

        Its last frame stays there until the next one follows.
        """
        wait_s = self._viewer.until_s(frames.stop - 2) - self._lead_s
        if wait_s > 0:
            await self._sleep(wait_s)
