"""Open-loop load on one batcher over a sleeping engine, and the figures of it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

MAX_CALLS = 4
"""Calls that one run joins, as in the product: with groups of 8 frames, 32 frames."""

Name = Literal["plain", "steered", "slot-first", "product"]

MEANING: dict[Name, str] = {
    "plain": "@serve.batch, 10 ms wait",
    "steered": "@serve.batch, wait set before every call to when the engine is free",
    "slot-first": "no decorator, collects when the engine is free: the reference",
    "product": "@serve.batch, wait 0, and one slot beneath it (app/serving/batching.py)",
}
Submit = Callable[[int], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class EngineShape:
    """How long an engine takes.

    Attributes:
        name: of the shape.
        base_s: seconds per run.
        per_call_s: seconds more per call of a run.
        spread: standard deviation of the logarithm of a factor on it, of mean 1.
    """

    name: str
    base_s: float
    per_call_s: float
    spread: float = 0.0

    @property
    def capacity_per_s(self) -> float:
        """Calls per second of full runs without a pause."""
        return MAX_CALLS / (self.base_s + MAX_CALLS * self.per_call_s)


SHAPES = (
    EngineShape("40 ms + 5 ms a call", 0.040, 0.005),
    EngineShape("the same, uneven", 0.040, 0.005, 0.3),
    EngineShape("200 ms", 0.200, 0.0),
)


@dataclass(frozen=True, slots=True)
class Load:
    """One run of the benchmark.

    Attributes:
        shape: of the engine.
        rate: of arrivals, 1 being the engine's capacity.
        seed: of the arrivals and of the engine's spread.
        arrive_s: seconds during which calls arrive.
    """

    shape: EngineShape
    rate: float
    seed: int
    arrive_s: float

    @property
    def horizon_s(self) -> float:
        """When calls that are still unanswered are given up: time to work off a full backlog."""
        backlog = max(1.0, self.rate)
        return self.arrive_s * backlog * 1.1 + 4 * (self.shape.base_s + self.shape.per_call_s)

    def arrivals(self) -> NDArray[np.float64]:
        """Return the seconds at which calls arrive, a Poisson process; the first at 0."""
        per_s = self.rate * self.shape.capacity_per_s
        rng = np.random.default_rng(self.seed)
        count = max(1, round(per_s * self.arrive_s))
        return np.concatenate([[0.0], rng.exponential(1 / per_s, count - 1).cumsum()])


class SleepingEngine:
    """Sleeps as an engine works; blocking, to be run on one thread.

    Attributes:
        runs: how many calls each run joined.
    """

    def __init__(self, load: Load) -> None:
        self._shape = load.shape
        self._rng = np.random.default_rng([load.seed, 1])
        self.runs: list[int] = []

    def run(self, calls: Sequence[int]) -> list[int]:
        """Return the calls."""
        self.runs.append(len(calls))
        spread = self._shape.spread
        factor = self._rng.lognormal(-(spread**2) / 2, spread)
        time.sleep(factor * (self._shape.base_s + self._shape.per_call_s * len(calls)))
        return list(calls)


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run showed.

    Attributes:
        fill: mean calls of an engine run.
        p50_s: median latency, from a call's due arrival to its answer.
        p95_s: the 95th percentile of it.
        per_s: answers per second, until the last.
        unanswered: calls given up at the horizon; their age then counts as their latency.
    """

    fill: float
    p50_s: float
    p95_s: float
    per_s: float
    unanswered: int


async def drive(submit: Submit, engine: SleepingEngine, load: Load) -> Figures:
    """Send calls when they are due, whether earlier ones are answered or not."""
    loop = asyncio.get_running_loop()
    for calls in (1, MAX_CALLS, 1):  # a server is warm, too, before it is loaded
        await asyncio.gather(*(submit(0) for _ in range(calls)))
    engine.runs.clear()
    arrivals = load.arrivals()
    start = loop.time()
    tasks: list[asyncio.Task[float]] = []

    async def one(number: int, due: float) -> float:
        await submit(number)
        return loop.time() - due

    for number, arrival in enumerate(arrivals):
        due = start + float(arrival)
        await asyncio.sleep(due - loop.time())
        tasks.append(asyncio.create_task(one(number, due)))
    done, late = await asyncio.wait(tasks, timeout=start + load.horizon_s - loop.time())
    end = loop.time()
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    latencies = [
        task.result() if task in done else end - start - arrival
        for task, arrival in zip(tasks, arrivals, strict=True)
    ]
    p50_s, p95_s = np.percentile(latencies, [50, 95])
    return Figures(
        fill=float(np.mean(engine.runs)),
        p50_s=float(p50_s),
        p95_s=float(p95_s),
        per_s=len(done) / (end - start),
        unanswered=len(late),
    )
