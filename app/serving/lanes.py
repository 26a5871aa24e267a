"""Who is served next in a slot: live calls before others, and never the others not at all."""

from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

Waiting = TypeVar("Waiting")

CLIP_EVERY = 2
"""Of so many runs that live calls could fill, one gives a place to a call that is not live."""


class Lanes(Generic[Waiting]):
    """Two queues, each in the order of arrival.

    A live call is late when it waits; another only takes longer. So live calls go first, and
    others take what places are left. Where none are left, every second run keeps one for them: a
    live call then waits for that one place more, and a clip never stands still.
    """

    def __init__(self) -> None:
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
        (self._live if live else self._clips).append(call)

    def take(self, places: int) -> list[Waiting]:
        """Return the calls of the next run, at most so many.

        Args:
            places: >= 1.
        """
        for_clips = 0
        if self._clips and len(self._live) >= places:
            self._full_of_live += 1
            if self._full_of_live % CLIP_EVERY == 0:
                for_clips = 1
        taken = [self._live.popleft() for _ in range(min(places - for_clips, len(self._live)))]
        rest = min(places - len(taken), len(self._clips))
        return taken + [self._clips.popleft() for _ in range(rest)]

    def clear(self) -> None:
        """Forget all."""
        self._live.clear()
        self._clips.clear()
