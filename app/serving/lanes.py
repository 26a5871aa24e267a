"""Who is served next in a slot: live calls before others, and never the others not at all."""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

Waiting = TypeVar("Waiting")

WATCHED_S = 1.0
"""So long after a live call more of them are expected: a stream makes one in less."""

CLIP_EVERY = 2
"""Of so many runs that live calls could fill, one gives a place to a call that is not live."""


class Lanes(Generic[Waiting]):
    """Two queues, each in the order of arrival.

    A live call is late when it waits; another only takes longer. So live calls go first, and
    others take what places are left. Where none are left, every second run keeps one for them: a
    live call then waits for that one place more, and a clip never stands still.

    A run cannot be interrupted, and a live call waits for all of it. So while somebody watches,
    one call of the others joins a run, not as many as have place.

    Args:
        clock: wall-clock seconds from anywhere.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._live_s = float("-inf")
        self._live: deque[Waiting] = deque()
        self._clips: deque[Waiting] = deque()
        self._full_of_live = 0

    def __len__(self) -> int:
        return len(self._live) + len(self._clips)

    def __iter__(self) -> Iterator[Waiting]:
        yield from self._live
        yield from self._clips

    def put(self, call: Waiting, live: bool) -> None:
        """Let a call wait."""
        if live:
            self._live_s = self._clock()
        (self._live if live else self._clips).append(call)

    def most_clips(self) -> int:
        """Return how many calls that are not live the next run may join."""
        is_watched = self._live or self._clock() - self._live_s < WATCHED_S
        return 1 if is_watched else sys.maxsize

    def take(
        self,
        places: int,
        size: Callable[[Waiting], int] = lambda call: 1,
        most_clips: int = sys.maxsize,
    ) -> list[Waiting]:
        """Return the calls of the next run, as many as have place in the order of their lane.

        Args:
            places: >= 1.
            size: how many of them a call takes, >= 1.
            most_clips: at most so many calls that are not live.
        """
        for_clips = 0
        if self._clips and most_clips and sum(map(size, self._live)) >= places:
            self._full_of_live += 1
            if self._full_of_live % CLIP_EVERY == 0:
                for_clips = min(places, size(self._clips[0]))
        taken: list[Waiting] = []
        left = places - for_clips
        lanes = ((self._live, sys.maxsize, for_clips), (self._clips, most_clips, 0))
        for lane, most, more in lanes:
            first = len(taken)
            while lane and size(lane[0]) <= left and len(taken) - first < most:
                taken.append(lane.popleft())
                left -= size(taken[-1])
            left += more
        return taken

    def clear(self) -> None:
        """Forget all."""
        self._live.clear()
        self._clips.clear()
