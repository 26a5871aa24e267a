"""The batchers that are compared, each over the same sleeping engine. Needs a Serve replica.

A decorated function has one queue per process, so every run decorates a function of its own.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

from ray import serve

from app.bench.batching_forecast import Forecast
from app.bench.batching_load import MAX_CALLS, Name, SleepingEngine, Submit
from app.serving.batching import CONCURRENT_BATCHES, Slot, Ticket

Run = Callable[[list[int]], Awaitable[list[int]]]


def candidate(name: Name, engine: SleepingEngine) -> Submit:
    """Return how a call is handed to the batcher of that name."""
    executor = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def run(calls: list[int]) -> list[int]:
        return await asyncio.get_running_loop().run_in_executor(executor, engine.run, calls)

    match name:
        case "plain":
            return serve.batch(max_batch_size=MAX_CALLS, batch_wait_timeout_s=0.01)(run)
        case "steered":
            return _steered(run)
        case "slot-first":
            return SlotFirst(run).submit
        case "product":
            return _product(engine)


def _steered(run: Run) -> Submit:
    """Return a decorated `run` whose wait is set before every call is queued."""
    forecast = Forecast(MAX_CALLS)

    async def batch(calls: list[int]) -> list[int]:
        loop = asyncio.get_running_loop()
        forecast.start(len(calls), len(calls), loop.time())
        answers = await run(calls)
        forecast.end(loop.time())
        return answers

    batched = serve.batch(max_batch_size=MAX_CALLS, batch_wait_timeout_s=0.0)(batch)

    async def submit(call: int) -> int:
        wait_s = forecast.arrive(1, asyncio.get_running_loop().time())
        batched.set_batch_wait_timeout_s(wait_s)  # type: ignore[attr-defined]
        return await batched(call)

    return submit


def _product(engine: SleepingEngine) -> Submit:
    """Return what the product does, with its own classes."""
    slot: Slot[int, int] = Slot(engine.run, MAX_CALLS, "product", frames=lambda _: 1)

    async def batch(tickets: list[Ticket[int]]) -> list[int | Exception]:
        return await slot.run(tickets)

    batched = serve.batch(
        max_batch_size=MAX_CALLS,
        batch_wait_timeout_s=0.0,
        max_concurrent_batches=CONCURRENT_BATCHES,
    )(batch)
    return lambda call: slot.submit(call, batched)


class SlotFirst:
    """Takes what waits when the engine is free: nothing else, so that it can be the reference."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._waiting: deque[tuple[int, asyncio.Future[int]]] = deque()
        self._worker: asyncio.Task[None] | None = None

    async def submit(self, call: int) -> int:
        """Return the answer to a call."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[int] = loop.create_future()
        self._waiting.append((call, future))
        if self._worker is None:
            self._worker = loop.create_task(self._work())
        return await future

    async def _work(self) -> None:
        while self._waiting:
            size = min(MAX_CALLS, len(self._waiting))
            batch = [self._waiting.popleft() for _ in range(size)]
            batch = [(call, future) for call, future in batch if not future.done()]
            if batch:
                answers = await self._run([call for call, _ in batch])
                for (_, future), answer in zip(batch, answers, strict=True):
                    if not future.done():
                        future.set_result(answer)
        self._worker = None
