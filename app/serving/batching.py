"""What runs beneath `@serve.batch`: one slot that joins whatever waits when the engine is free.

`@serve.batch` collects while nothing runs; what arrives during a run it cuts after its wait, so
that batches of one queue up exactly when load is high. It can be steered: before every call is
queued, set its wait to the time until the engine will be free. But that is a forecast, and it is
as good as runs are even. So the decorator hands on at once (wait 0, many concurrent batches), and
calls are joined here, where it is known when the engine is free.

Measured by `python -m app.bench batching`: median P95 latency of 10 pairs over a slot-first
batcher's, worst of five loads from a tenth to twice what full runs can answer.

| engine | 10 ms wait | steered | this slot |
| --- | --- | --- | --- |
| 200 ms | 6.11 | 1.01 | 1.01 |
| 40 ms + 5 ms a call | 10.57 | 1.07 | 1.05 |
| the same, with a log-normal factor of 0.3 | 8.25 | 1.13 | 1.03 |

The last line decides: our models' runs spread by 0.1 to 0.4 where cores are shared. Fill was the
same within 7 % for both.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import CancelledError as FutureCancelledError
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar

from app.errors import NotReady
from app.observability.origin import NOBODY, ORIGINS, Origin

Item = TypeVar("Item")
Answer = TypeVar("Answer")

CONCURRENT_BATCHES = 32
"""Batches that `@serve.batch` may have under way; they meet in the slot."""

logger = logging.getLogger("ray.serve")


class Observer(Protocol):
    """Is told what happens in a slot, on the event loop."""

    def waiting(self, calls: int) -> None:
        """Note how many calls wait for a run now."""
        ...

    def started(self, frames: int, waits_s: Sequence[float]) -> None:
        """Note a run: its frames, and how many seconds each of its calls has waited."""
        ...


@dataclass(slots=True, eq=False)
class Ticket(Generic[Item]):
    """A call on its way to a run.

    Attributes:
        item: what it asks for.
        arrived_s: when, by the event loop's clock.
        origin: for whom.
        state: it waits, its run has started, or its caller went before that.
    """

    item: Item
    arrived_s: float
    origin: Origin = NOBODY
    state: Literal["waiting", "started", "dropped"] = "waiting"


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A run of an engine that has ended.

    Attributes:
        calls: for whom it was, and when each call arrived, by the event loop's clock in seconds.
        frames: of all calls.
        started_s: by the same clock.
        ended_s: by the same clock.
        error: why it failed, or None.
    """

    calls: Sequence[tuple[Origin, float]]
    frames: int
    started_s: float
    ended_s: float
    error: Exception | None


class Slot(Generic[Item, Answer]):
    """The one place in a replica where its engine runs: a thread, one batch after the other.

    A deployment's method hands each call to `submit`, together with a second method, decorated
    by `@serve.batch`, that hands the tickets it is given to `run`.

    Args:
        work: maps n items to n answers; blocking.
        max_calls: most calls that one run joins.
        name: of the thread.
        frames: of an item.
        observer: is told of waiting calls and of runs.
        ran: is told of every run that has ended.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], list[Answer]],
        max_calls: int,
        name: str,
        frames: Callable[[Item], int],
        observer: Observer | None = None,
        ran: Callable[[Run], None] | None = None,
    ) -> None:
        self._work = work
        self._max_calls = max_calls
        self._frames = frames
        self._observer = observer
        self._ran = ran
        # One thread: the replica's event loop stays free, and a GPU is used from one thread only.
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._queue: deque[tuple[Ticket[Item], asyncio.Future[Answer | Exception]]] = deque()
        self._runner: asyncio.Task[None] | None = None
        self._waiting = 0

    async def submit(
        self,
        item: Item,
        batched: Callable[[Ticket[Item]], Awaitable[Any]],
        origin: Origin = NOBODY,
    ) -> Answer | Exception:
        """Return an item's answer, or as a value why there is none.

        An item whose caller is cancelled before its run starts is dropped. `@serve.batch` drops
        only what it has not handed on yet, so the ticket says so.

        Args:
            item: what is asked for.
            batched: the bound method under `@serve.batch`.
            origin: for whom.
        """
        ORIGINS.set((origin,))  # a call is a task of its own
        ticket = Ticket(item, asyncio.get_running_loop().time(), origin)
        self._wait(+1)
        try:
            answer: Answer | Exception = await batched(ticket)
            return answer
        finally:
            if ticket.state == "waiting":
                ticket.state = "dropped"
                self._wait(-1)

    async def run(self, tickets: Sequence[Ticket[Item]]) -> list[Answer | Exception]:
        """Return one answer, or one exception as a value, per ticket; raises nothing.

        A raised exception would reach every caller of the batch, and a raised `CancelledError`
        none at all: `@serve.batch` would let them wait for ever.
        """
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[Answer | Exception]] = [loop.create_future() for _ in tickets]
        self._queue.extend(zip(tickets, futures, strict=True))
        if self._runner is None:
            # Not in the first caller's context: Ray would put its request id on every line.
            self._runner = loop.create_task(self._run_all(), context=Context())
        try:
            return list(await asyncio.gather(*futures))
        except asyncio.CancelledError:
            logger.warning("A batch was cancelled: the replica stops.")
            return [_interrupted() for _ in tickets]

    async def _run_all(self) -> None:
        """Run what waits until nothing waits."""
        batch: list[tuple[Ticket[Item], asyncio.Future[Answer | Exception]]] = []
        try:
            while self._queue:
                batch = self._next_batch()
                if batch:
                    answers = await self._answers([ticket for ticket, _ in batch])
                    for (_, future), answer in zip(batch, answers, strict=True):
                        _resolve(future, answer)
        finally:
            # Cancelled, it must not leave callers behind that wait for it.
            for _, future in [*batch, *self._queue]:
                _resolve(future, _interrupted())
            self._queue.clear()
            self._runner = None

    def _next_batch(self) -> list[tuple[Ticket[Item], asyncio.Future[Answer | Exception]]]:
        """Take the oldest calls that somebody still waits for, and note that they start."""
        batch: list[tuple[Ticket[Item], asyncio.Future[Answer | Exception]]] = []
        while self._queue and len(batch) < self._max_calls:
            ticket, future = self._queue.popleft()
            if ticket.state == "dropped" or future.done():
                _resolve(future, _interrupted())
            else:
                ticket.state = "started"
                batch.append((ticket, future))
        if batch:
            self._wait(-len(batch))
            if self._observer:
                now_s = asyncio.get_running_loop().time()
                self._observer.started(
                    sum(self._frames(ticket.item) for ticket, _ in batch),
                    [now_s - ticket.arrived_s for ticket, _ in batch],
                )
        return batch

    async def _answers(self, tickets: list[Ticket[Item]]) -> list[Answer | Exception]:
        """Return the answers of one run; items that fail together are tried one by one."""
        loop, items = asyncio.get_running_loop(), [ticket.item for ticket in tickets]
        ORIGINS.set(tuple(ticket.origin for ticket in tickets))
        started_s, failure = loop.time(), None
        try:
            within = copy_context().run
            answers = await loop.run_in_executor(self._executor, within, self._blocking, items)
            if len(answers) != len(items):
                raise RuntimeError(f"The model gave {len(answers)} answers to {len(items)} items.")
            return list(answers)
        except Exception as error:
            failure = error
            if len(items) == 1:
                logger.warning("An item of a batch failed.", exc_info=error)
                return [error]
        finally:
            self._tell(tickets, started_s, failure)
        alone = [await self._answers([ticket]) for ticket in tickets]
        return [answer for (answer,) in alone]

    def _tell(self, tickets: list[Ticket[Item]], started_s: float, error: Exception | None) -> None:
        if self._ran:
            calls = [(ticket.origin, ticket.arrived_s) for ticket in tickets]
            frames = sum(self._frames(ticket.item) for ticket in tickets)
            self._ran(Run(calls, frames, started_s, asyncio.get_running_loop().time(), error))

    def _blocking(self, items: list[Item]) -> list[Answer]:
        """Do the work; on the executor's thread."""
        try:
            return self._work(items)
        except (asyncio.CancelledError, FutureCancelledError) as error:
            # Of something inside; passed on, it would look as if this run were cancelled.
            raise _interrupted() from error

    def _wait(self, change: int) -> None:
        self._waiting += change
        if self._observer:
            self._observer.waiting(self._waiting)


def _resolve(future: asyncio.Future[Answer | Exception], answer: Answer | Exception) -> None:
    if not future.done():
        future.set_result(answer)


def _interrupted() -> NotReady:
    return NotReady("A model's run was interrupted.", "Try again.")
