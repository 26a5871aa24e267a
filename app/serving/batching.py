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
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import CancelledError as FutureCancelledError
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar

from app.errors import NotReady
from app.observability.origin import NOBODY, ORIGINS, Origin
from app.serving.lanes import Lanes
from app.serving.speed import Pace, Speed

Item = TypeVar("Item")
Answer = TypeVar("Answer")

GROUP_FRAMES = 8
"""Frames of a usual call: so many times its calls are a full run."""

FINISHERS = 4
"""Threads that finish answers beside the engine's."""

CONCURRENT_BATCHES = 32
"""Batches that `@serve.batch` may have under way; they meet in the slot."""

logger = logging.getLogger("ray.serve")


class Observer(Protocol):
    """Is told what happens in a slot, on the event loop."""

    def waiting(self, calls: int) -> None:
        """Note how many calls wait for a run now."""
        ...

    def started(self, frames: int, waits: Sequence[tuple[float, bool]]) -> None:
        """Note a run: its frames, and of each call how many seconds it waited, and if it is live.

        A live call is one that somebody watches; see `app.observability.origin`.
        """
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
class Later(Generic[Answer]):
    """An answer whose last step needs no engine: other threads do it, while the next run goes on.

    Attributes:
        finish: returns the answer; blocking.
    """

    finish: Callable[[], Answer]


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
        work: maps n items to n answers, finished or not, or why there is none; blocking.
        max_calls: most calls that one run joins.
        name: of the thread.
        frames: of an item.
        observer: is told of waiting calls and of runs.
        ran: is told of every run that has ended.
        max_frames: most frames that one run joins, in however many calls; absent, calls count.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Sequence[Answer | Later[Answer] | Exception]],
        max_calls: int,
        name: str,
        frames: Callable[[Item], int],
        observer: Observer | None = None,
        ran: Callable[[Run], None] | None = None,
        max_frames: int | None = None,
    ) -> None:
        self._work = work
        self._places = max_frames or max_calls
        self._frames = frames
        self._counts_frames = max_frames is not None
        self._observer = observer
        self._ran = ran
        # One thread: the replica's event loop stays free, and a GPU is used from one thread only.
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._finishers = ThreadPoolExecutor(FINISHERS, thread_name_prefix=f"{name}-finish")
        self._finishing: set[asyncio.Task[None]] = set()
        self._queue: Lanes[tuple[Ticket[Item], asyncio.Future[Answer | Exception]]] = Lanes()
        self._runner: asyncio.Task[None] | None = None
        self._waiting = 0
        self._speed = Speed(max_calls * GROUP_FRAMES)

    def pace(self) -> Pace | None:
        """Return what full runs make; nothing before the first run."""
        return self._speed.pace()

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
        for ticket, future in zip(tickets, futures, strict=True):
            self._queue.put((ticket, future), ticket.origin.live)
        if self._runner is None:
            # Not in the first caller's context: Ray would put its request id on every line.
            self._runner = loop.create_task(self._run_all(), context=Context())
        try:
            return list(await asyncio.gather(*futures))
        except asyncio.CancelledError:
            logger.warning("A batch was cancelled: the replica stops.")
            return [interrupted() for _ in tickets]

    async def _run_all(self) -> None:
        """Run what waits until nothing waits."""
        batch: list[tuple[Ticket[Item], asyncio.Future[Answer | Exception]]] = []
        try:
            while self._queue:
                batch = self._next_batch()
                if batch:
                    answers = await self._answers([ticket for ticket, _ in batch])
                    for (_, future), answer in zip(batch, answers, strict=True):
                        self._deliver(future, answer)
                    batch = []
        finally:
            # Cancelled, it must not leave callers behind that wait for it.
            for _, future in [*batch, *self._queue]:
                _resolve(future, interrupted())
            self._queue.clear()
            self._runner = None

    def _next_batch(self) -> list[tuple[Ticket[Item], asyncio.Future[Answer | Exception]]]:
        """Take the next calls that somebody still waits for, and note that they start."""
        batch: list[tuple[Ticket[Item], asyncio.Future[Answer | Exception]]] = []
        left, most_clips = self._places, self._queue.most_clips()
        while left > 0 and (
            taken := self._queue.take(left, self._size, most_clips, more=bool(batch))
        ):
            for ticket, future in taken:
                if ticket.state == "dropped" or future.done():
                    _resolve(future, interrupted())
                else:
                    ticket.state = "started"
                    left -= self._size((ticket, future))
                    most_clips -= not ticket.origin.live
                    batch.append((ticket, future))
        if batch:
            self._wait(-len(batch))
            if self._observer:
                now_s = asyncio.get_running_loop().time()
                self._observer.started(
                    sum(self._frames(ticket.item) for ticket, _ in batch),
                    [(now_s - ticket.arrived_s, ticket.origin.live) for ticket, _ in batch],
                )
        return batch

    def _size(self, entry: tuple[Ticket[Item], asyncio.Future[Answer | Exception]]) -> int:
        """Return how many of a run's places a call takes; an empty run has enough for any."""
        return min(max(1, self._frames(entry[0].item)), self._places) if self._counts_frames else 1

    def _deliver(
        self,
        future: "asyncio.Future[Answer | Exception]",
        answer: Answer | Later[Answer] | Exception,
    ) -> None:
        """Answer a call, now or once it is finished."""
        if isinstance(answer, Later):
            finishing = asyncio.create_task(self._finish(future, answer))
            self._finishing.add(finishing)
            finishing.add_done_callback(self._finishing.discard)
        else:
            _resolve(future, answer)

    async def _finish(
        self, future: "asyncio.Future[Answer | Exception]", answer: Later[Answer]
    ) -> None:
        loop = asyncio.get_running_loop()
        try:
            _resolve(future, await loop.run_in_executor(self._finishers, answer.finish))
        except Exception as error:
            logger.warning("An answer could not be finished.", exc_info=error)
            _resolve(future, _no_memory() if isinstance(error, MemoryError) else error)
        finally:
            _resolve(future, interrupted())

    async def _answers(
        self, tickets: list[Ticket[Item]]
    ) -> "list[Answer | Later[Answer] | Exception]":
        """Return the answers of one run; items that fail together are tried one by one."""
        loop, items = asyncio.get_running_loop(), [ticket.item for ticket in tickets]
        answers: Sequence[Answer | Later[Answer] | Exception] = ()
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
            self._learn(tickets, answers, loop.time() - started_s)
        alone = [await self._answers([ticket]) for ticket in tickets]
        return [answer for (answer,) in alone]

    def _tell(self, tickets: list[Ticket[Item]], started_s: float, error: Exception | None) -> None:
        calls = [(ticket.origin, ticket.arrived_s) for ticket in tickets]
        frames = sum(self._frames(ticket.item) for ticket in tickets)
        run = Run(calls, frames, started_s, asyncio.get_running_loop().time(), error)
        if self._ran:
            self._ran(run)

    def _learn(
        self,
        tickets: list[Ticket[Item]],
        answers: "Sequence[Answer | Later[Answer] | Exception]",
        seconds: float,
    ) -> None:
        """Learn how fast the engine is; what it refused to make took it no time."""
        both = zip(tickets, answers, strict=False)
        made = [ticket for ticket, answer in both if not isinstance(answer, Exception)]
        self._speed.note(sum(self._frames(ticket.item) for ticket in made), seconds)

    def _blocking(self, items: list[Item]) -> "Sequence[Answer | Later[Answer] | Exception]":
        """Do the work; on the executor's thread."""
        try:
            return self._work(items)
        except (asyncio.CancelledError, FutureCancelledError) as error:
            # Of something inside; passed on, it would look as if this run were cancelled.
            raise interrupted() from error
        except MemoryError as error:
            raise _no_memory() from error

    def _wait(self, change: int) -> None:
        self._waiting += change
        if self._observer:
            self._observer.waiting(self._waiting)


def _resolve(future: asyncio.Future[Answer | Exception], answer: Answer | Exception) -> None:
    if not future.done():
        future.set_result(answer)


def interrupted() -> NotReady:
    """Return the answer to a call whose run was given up."""
    return NotReady("A model's run was interrupted.", "Try again.")


def _no_memory() -> NotReady:
    return NotReady("The host has no memory left for this request.", "Try again in a few seconds.")
