"""Who may start a session now, who waits for a place, and who is told to come back."""

import asyncio
import math
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Literal

from app.api.keys import Client
from app.errors import OverCapacity

Decision = Literal["admitted", "waited", "server_full", "key_full"]

FIRST_GUESS_S = 5.0
"""How long a session takes, before one has ended."""

MEMORY = 0.2
"""What share a session has in the average of how long sessions take."""


class Sessions:
    """Holds the places of one ingress replica, and a queue before them.

    Args:
        max_sessions: how many may be under way at once, of all clients.
        observe: told how many are under way, whenever that changes.
        decided: told of every decision.
        max_waiting: how many more may wait for a place, in the order in which they came.
        max_wait_s: how long one waits at most; who would wait longer is refused at once.
        clock: wall-clock seconds from anywhere.
    """

    def __init__(
        self,
        max_sessions: int,
        observe: Callable[[int], None] = lambda running: None,
        decided: Callable[[Decision], None] = lambda decision: None,
        *,
        max_waiting: int = 0,
        max_wait_s: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._observe = observe
        self._decided = decided
        self._max_sessions = max_sessions
        self._max_waiting = max_waiting
        self._max_wait_s = max_wait_s
        self._clock = clock
        self._running = 0
        self._of: Counter[str] = Counter()
        self._queue: deque[asyncio.Future[None]] = deque()
        self._session_s: float | None = None

    @asynccontextmanager
    async def admitted(self, client: Client) -> AsyncIterator[None]:
        """Hold a place for one session, once there is one.

        Args:
            client: who asks.

        Raises:
            OverCapacity: no place comes soon enough, or this client has all of its own.
        """
        limit = client.max_sessions
        if limit is not None and self._of[client.name] >= limit:
            self._decided("key_full")
            raise OverCapacity(
                f"This key has all of its {limit} sessions under way.",
                "Wait for one to end.",
                self._free_in_s(1),
            )
        self._of[client.name] += 1
        try:
            await self._place()
            started_s = self._clock()
            try:
                yield
            finally:
                self._learn(self._clock() - started_s)
                self._leave()
        finally:
            self._of[client.name] -= 1
            if not self._of[client.name]:
                del self._of[client.name]

    async def _place(self) -> None:
        """Take a place, after those who wait already."""
        if self._running < self._max_sessions:
            self._decided("admitted")
            self._change(+1)
            return
        wait_s = self._free_in_s(len(self._queue) + 1)
        if len(self._queue) >= self._max_waiting or wait_s > self._max_wait_s:
            raise self._full()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        try:
            async with asyncio.timeout(self._max_wait_s):
                await turn
                self._decided("waited")
        except BaseException as error:
            self._give_up(turn)
            if isinstance(error, TimeoutError):
                raise self._full() from None
            raise

    def _give_up(self, turn: asyncio.Future[None]) -> None:
        """Leave the queue, or the place that came just then."""
        if turn in self._queue:
            self._queue.remove(turn)
        elif turn.done() and not turn.cancelled():
            self._leave()

    def _leave(self) -> None:
        """Hand a place to who waits longest, or leave it empty."""
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._change(-1)

    def _full(self) -> OverCapacity:
        self._decided("server_full")
        waiting = f", and {len(self._queue)} wait" if self._queue else ""
        return OverCapacity(
            f"All {self._max_sessions} sessions of this server are taken{waiting}.",
            "Try again later.",
            self._free_in_s(len(self._queue) + 1 - self._max_waiting),
        )

    def _free_in_s(self, turn: int) -> float:
        """Return in how many whole seconds so many places have come free, at least one."""
        each_s = self._session_s or FIRST_GUESS_S
        return float(max(1, math.ceil(max(1, turn) * each_s / self._max_sessions)))

    def _learn(self, seconds: float) -> None:
        known = seconds if self._session_s is None else self._session_s
        self._session_s = known + MEMORY * (seconds - known)

    def _change(self, by: int) -> None:
        self._running += by
        self._observe(self._running)
