"""Calls through the real `@serve.batch` and the slot: joined, one bad one alone, none stranded."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from ray import serve
from ray.serve import context
from ray.serve._private.common import DeploymentID, ReplicaID
from ray.serve._private.config import DeploymentConfig
from ray.serve.schema import ReplicaRank

from app.errors import NoFace, NotReady
from app.observability.origin import ORIGINS, Origin
from app.serving import batching
from app.serving.batching import CONCURRENT_BATCHES, Later, Run, Slot, Ticket

MAX_CALLS = 4
Answers = Callable[..., asyncio.Task[float | Exception]]


@pytest.fixture(autouse=True)
def replica() -> Iterator[None]:
    """Let `@serve.batch` believe that it runs in a replica: that is all it needs of Ray."""
    context._set_internal_replica_context(
        replica_id=ReplicaID("test", DeploymentID("test")),
        servable_object=object,
        _deployment_config=DeploymentConfig(max_ongoing_requests=128),
        rank=ReplicaRank(rank=0, node_rank=0, local_rank=0),
        world_size=1,
    )
    yield
    context._INTERNAL_REPLICA_CONTEXT = None  # type: ignore[assignment]


class Gate:
    """Inverts numbers, but only once it is opened; remembers who ran with whom."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.entered = threading.Semaphore(0)
        self.batches: list[list[int]] = []

    def invert(self, items: Sequence[int]) -> list[float]:
        self.entered.release()
        self.open.wait(10)
        self.batches.append(list(items))
        if 0 in items:
            raise NoFace("zero")
        return [1 / item for item in items]


class Log:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.lengths: list[int] = []
        self.runs: list[tuple[int, int]] = []
        self.waits_s: list[float] = []
        self.live: list[bool] = []

    def waiting(self, calls: int) -> None:
        self.lengths.append(calls)

    def started(self, frames: int, waits: Sequence[tuple[float, bool]]) -> None:
        self.runs.append((len(waits), frames))
        self.waits_s += [wait_s for wait_s, _ in waits]
        self.live += [live for _, live in waits]


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def log() -> Log:
    return Log()


class Model:
    """A replica in small; an item has as many frames as it says."""

    def __init__(
        self,
        work: Callable[[Sequence[int]], list[Any]],
        log: Log,
        max_frames: int | None = None,
    ) -> None:
        self.slot: Slot[int, Any] = Slot(
            work, MAX_CALLS, "test", frames=int, observer=log, max_frames=max_frames
        )

        async def batch(tickets: list[Ticket[int]]) -> list[Any]:
            return await self.slot.run(tickets)

        # A function of its own: the queue of a decorated one lives as long as its process.
        self._batched = serve.batch(
            max_batch_size=MAX_CALLS,
            batch_wait_timeout_s=0.0,
            max_concurrent_batches=CONCURRENT_BATCHES,
        )(batch)

    async def submit(self, item: int) -> Any:  # noqa: ANN401 - a number or an exception
        return await asyncio.wait_for(self.slot.submit(item, self._batched), 10)

    async def started(self, *items: int) -> list[asyncio.Task[Any]]:
        tasks = [asyncio.create_task(self.submit(item)) for item in items]
        await asyncio.sleep(0.02)
        return tasks


@pytest.fixture
async def model(gate: Gate, log: Log) -> AsyncIterator[Model]:
    yield Model(gate.invert, log)
    gate.open.set()


async def in_a_run(gate: Gate, model: Model, *items: int) -> list[asyncio.Task[Any]]:
    """Return the calls once their run has begun; it lasts until the gate is opened."""
    tasks = await model.started(*items)
    assert await asyncio.to_thread(gate.entered.acquire, timeout=5)
    return tasks


async def test_what_is_finished_later_waits_for_no_run_and_no_run_for_it(log: Log) -> None:
    finishing, done = threading.Event(), threading.Event()

    def finish(item: int) -> float:
        finishing.set()
        if item == 0:
            raise NoFace("zero")
        assert done.wait(10)
        return 1 / item

    model = Model(lambda items: [Later(partial(finish, item)) for item in items], log)
    (first,) = await model.started(2)
    assert await asyncio.to_thread(finishing.wait, 5)
    (second,) = await model.started(4)
    (wrong,) = await model.started(0)
    assert [calls for calls, _ in log.runs] == [1, 1, 1], "the next run began"
    assert isinstance(await wrong, NoFace)
    assert not first.done()
    done.set()
    assert (await first, await second) == (0.5, 0.25)


async def test_a_run_joins_frames_in_however_many_calls(gate: Gate, log: Log) -> None:
    model = Model(gate.invert, log, max_frames=8)
    tasks = await in_a_run(gate, model, 9)
    tasks += await model.started(3, 1, 1, 1, 1, 1, 2, 1)
    gate.open.set()
    await asyncio.gather(*tasks)
    assert gate.batches == [[9], [3, 1, 1, 1, 1, 1], [2, 1]]


async def test_calls_that_wait_for_a_run_share_the_next(gate: Gate, model: Model) -> None:
    first = await in_a_run(gate, model, 1)
    rest = []
    for item in (2, 4, 5, 8, 10):
        rest.append(asyncio.create_task(model.submit(item)))
        await asyncio.sleep(0.005)
    gate.open.set()
    answers = await asyncio.gather(*first, *rest)
    assert answers == [1.0, 0.5, 0.25, 0.2, 0.125, 0.1]
    assert gate.batches == [[1], [2, 4, 5, 8], [10]]


async def test_calls_that_arrive_at_once_share_a_run(gate: Gate, model: Model) -> None:
    gate.open.set()
    assert await asyncio.gather(*await model.started(1, 2, 4)) == [1.0, 0.5, 0.25]
    assert gate.batches == [[1, 2, 4]]


async def test_a_bad_item_fails_alone(gate: Gate, model: Model) -> None:
    gate.open.set()
    good, bad, also_good = await asyncio.gather(*await model.started(1, 0, 4))
    assert (good, also_good) == (1.0, 0.25)
    assert isinstance(bad, NoFace)


async def test_a_model_that_loses_an_item_fails_and_strands_nobody(log: Log) -> None:
    model = Model(lambda items: [1.0] * (len(items) // 2), log)
    answers = await asyncio.gather(*await model.started(1, 2))
    assert [type(answer) for answer in answers] == [RuntimeError, RuntimeError]


async def test_a_call_cancelled_before_its_run_is_dropped(
    gate: Gate, model: Model, log: Log
) -> None:
    first = await in_a_run(gate, model, 1)
    gone, stays = await model.started(2, 4)
    gone.cancel()
    await asyncio.sleep(0)
    gate.open.set()
    assert await asyncio.gather(*first, stays) == [1.0, 0.25]
    assert sorted(item for batch in gate.batches for item in batch) == [1, 4]
    assert log.lengths[-1] == 0


async def test_a_call_cancelled_during_its_run_strands_nobody(gate: Gate, model: Model) -> None:
    gone, stays = await in_a_run(gate, model, 2, 4)
    gone.cancel()
    gate.open.set()
    assert await stays == 0.25
    assert await model.submit(8) == 0.125
    assert gone.cancelled()


async def test_a_call_cancelled_after_its_run_strands_nobody(gate: Gate, model: Model) -> None:
    gate.open.set()
    done, other = await model.started(2, 4)
    await done
    done.cancel()
    assert await other == 0.25
    assert await model.submit(8) == 0.125


async def test_all_calls_cancelled_leave_an_idle_slot(gate: Gate, model: Model, log: Log) -> None:
    (running,) = await in_a_run(gate, model, 1)
    waiting = await model.started(2, 4, 5)
    for task in [running, *waiting]:
        task.cancel()
    gate.open.set()
    await asyncio.sleep(0.05)
    assert gate.batches == [[1]]
    assert await model.submit(8) == 0.125
    assert log.lengths[-1] == 0


@pytest.mark.parametrize("error", [asyncio.CancelledError, CancelledError])
async def test_a_cancellation_inside_the_model_reaches_every_caller(
    error: type[BaseException], log: Log
) -> None:
    def work(items: Sequence[int]) -> list[float]:
        if 0 in items:
            raise error
        return [1.0] * len(items)

    good, bad = await asyncio.gather(*await Model(work, log).started(1, 0))
    assert good == 1.0
    assert isinstance(bad, NotReady)


@pytest.fixture
def executors(monkeypatch: pytest.MonkeyPatch) -> list[ThreadPoolExecutor]:
    """Return the executors that slots make from now on."""
    made: list[ThreadPoolExecutor] = []

    def make(workers: int, thread_name_prefix: str) -> ThreadPoolExecutor:
        made.append(ThreadPoolExecutor(workers, thread_name_prefix=thread_name_prefix))
        return made[-1]

    monkeypatch.setattr(batching, "ThreadPoolExecutor", make)
    return made


async def test_an_executor_that_is_shut_down_strands_nobody(
    executors: list[ThreadPoolExecutor], log: Log
) -> None:
    model = Model(lambda items: [1.0] * len(items), log)
    executors[0].shutdown()
    answers = await asyncio.gather(*await model.started(1, 2))
    assert all(isinstance(answer, RuntimeError) for answer in answers)


async def test_work_that_the_executor_drops_strands_nobody(
    executors: list[ThreadPoolExecutor], log: Log
) -> None:
    busy = threading.Event()
    model = Model(lambda items: [1.0] * len(items), log)
    executors[0].submit(busy.wait, 10)
    tasks = await model.started(1, 2)
    executors[0].shutdown(wait=False, cancel_futures=True)
    busy.set()
    answers = await asyncio.gather(*tasks)
    assert all(isinstance(answer, NotReady) for answer in answers)


async def test_a_replica_that_stops_answers_those_in_a_run(gate: Gate, model: Model) -> None:
    callers = await in_a_run(gate, model, 2, 4)
    for task in asyncio.all_tasks():
        if "_process_batch_inner" in repr(task.get_coro()):
            task.cancel()
    answers = await asyncio.gather(*callers)
    assert all(isinstance(answer, NotReady) for answer in answers)


async def test_the_slot_works_again_after_it_was_idle(gate: Gate, model: Model) -> None:
    gate.open.set()
    for number in (1, 2, 4):
        assert await model.submit(number) == 1 / number


async def test_the_observer_sees_queue_waits_and_fill(gate: Gate, model: Model, log: Log) -> None:
    await in_a_run(gate, model, 1)
    rest = await model.started(2, 4)
    assert log.lengths[-1] == 2
    gate.open.set()
    await asyncio.gather(*rest)
    assert log.lengths[-1] == 0
    assert sum(calls for calls, _ in log.runs) == 3
    assert sum(frames for _, frames in log.runs) == 7
    assert len(log.waits_s) == 3
    assert max(log.waits_s) >= 0.015


async def test_the_model_works_for_all_calls_of_a_batch_and_each_run_is_told(log: Log) -> None:
    seen: list[tuple[Origin, ...]] = []
    runs: list[Run] = []
    busy = threading.Event()

    def work(items: Sequence[int]) -> list[float]:
        busy.wait(10)
        seen.append(ORIGINS.get())
        if 0 in items:
            raise NoFace("zero")
        return [1 / item for item in items]

    slot: Slot[int, float] = Slot(work, MAX_CALLS, "test", int, log, runs.append)

    async def batch(tickets: list[Ticket[int]]) -> list[Any]:
        return await slot.run(tickets)

    origins = [Origin(f"r{number}", f"s{number}", live=True) for number in range(3)]
    items = (1, 0, 2)
    first = asyncio.create_task(slot.submit(items[0], lambda t: one(batch, t), origins[0]))
    await asyncio.sleep(0.02)
    rest = [
        asyncio.create_task(slot.submit(item, lambda t: one(batch, t), origin))
        for item, origin in zip(items[1:], origins[1:], strict=True)
    ]
    await asyncio.sleep(0.02)
    busy.set()
    answers = await asyncio.gather(first, *rest)
    assert (answers[0], answers[2]) == (1.0, 0.5)
    assert log.live == [True] * 3
    # Together they fail, so that each is tried alone.
    expected = [(origins[0],), (origins[1], origins[2]), (origins[1],), (origins[2],)]
    assert seen == expected
    assert [tuple(origin for origin, _ in run.calls) for run in runs] == expected
    assert [type(run.error) for run in runs] == [type(None), NoFace, NoFace, type(None)]
    assert [run.frames for run in runs] == [1, 2, 0, 2]
    for run in runs:
        assert all(arrived_s <= run.started_s <= run.ended_s for _, arrived_s in run.calls)


async def one(
    batch: Callable[[list[Ticket[int]]], Awaitable[list[Any]]], ticket: Ticket[int]
) -> Any:  # noqa: ANN401 - a number or an exception
    (answer,) = await batch([ticket])
    return answer


async def test_a_failed_items_line_names_no_other_request(
    model: Model, gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    """Ray adds the request of the context that a line is written in, and it must have none."""
    gate.open.set()
    requests: list[str] = []

    class Seen(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            requests.append(context._get_serve_request_context().request_id)
            return True

    context._set_request_context(request_id="the first one's")
    seen = Seen()
    logging.getLogger("ray.serve").addFilter(seen)
    try:
        assert isinstance(await model.submit(0), NoFace)
    finally:
        logging.getLogger("ray.serve").removeFilter(seen)
        context._unset_request_context()  # type: ignore[no-untyped-call]
    assert requests == [""]
