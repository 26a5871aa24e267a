"""What live streams may take of the frames that the models make: so much, and then no more."""

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack

from app.errors import OverCapacity

SHARE = 0.8
"""Of the capacity that live streams may take. The rest is for clips and for uneven times."""


class Budget:
    """Keeps the frame rates of the live streams of one ingress replica.

    Args:
        clock: wall-clock seconds from anywhere.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._streams: dict[object, tuple[float, float]] = {}

    @property
    def frames_per_s(self) -> float:
        """Return what the streams under way take together."""
        return sum(fps for fps, _ in self._streams.values())

    def live(
        self, fps: float, duration_s: float, capacity_fps: float | None
    ) -> AbstractContextManager[object, bool | None]:
        """Keep one stream's rate for it, from now until what is returned is left.

        Args:
            fps: its rate.
            duration_s: of the whole stream.
            capacity_fps: frames/s that this replica's streams may count on; None while nothing
                was measured, when all are let in.

        Raises:
            OverCapacity: it does not fit beside the others now, or not at all.
        """
        if capacity_fps is not None:
            self._check(fps, SHARE * capacity_fps)
        stream = object()
        self._streams[stream] = fps, self._clock() + duration_s
        stack = ExitStack()
        stack.callback(self._streams.pop, stream)
        return stack

    def _check(self, fps: float, most_fps: float) -> None:
        if self.frames_per_s + fps <= most_fps:
            return
        free_s, left_fps = 0.0, self.frames_per_s
        for rate, ends_s in sorted(self._streams.values(), key=lambda stream: stream[1]):
            free_s, left_fps = max(0.0, ends_s - self._clock()), left_fps - rate
            if left_fps + fps <= most_fps:
                break
        raise OverCapacity(
            f"This server keeps {most_fps:.0f} frames a second for live streams; "
            f"{self.frames_per_s:.0f} are taken, and this one needs {fps:g}.",
            "Come back later, ask for fewer frames a second, or leave out `pace=live`.",
            float(max(1, math.ceil(free_s))),
        )
