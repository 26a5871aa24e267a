"""The slot beneath `@serve.batch`: joins what waits, one bad item alone, nobody stranded."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from app.errors import NoFace
from app.serving.batching import Slot


class Gate:
    """Inverts numbers, but only once it is opened; remembers who ran with whom."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.batches: list[list[int]] = []

    def invert(self, items: Sequence[int]) -> list[float]:
        self.open.wait(10)
        self.batches.append(list(items))
        if 0 in items:
            raise NoFace("zero")
        return [1 / item for item in items]


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def slot(gate: Gate) -> Slot[int, float]:
    return Slot(gate.invert, max_items=4, name="test")


async def started(slot: Slot[int, float], *calls: int) -> list[asyncio.Task[object]]:
    tasks: list[asyncio.Task[object]] = [asyncio.create_task(slot.submit([c])) for c in calls]
    await asyncio.sleep(0.02)
    return tasks


async def test_calls_that_wait_for_a_run_share_the_next(gate: Gate, slot: Slot[int, float]) -> None:
    first = await started(slot, 1)
    rest = await started(slot, 2, 4, 5, 8, 10)
    gate.open.set()
    answers = await asyncio.gather(*first, *rest)
    assert answers == [[1.0], [0.5], [0.25], [0.2], [0.125], [0.1]]
    assert gate.batches == [[1], [2, 4, 5, 8], [10]]
    assert list(slot.runs) == [1, 4, 1]


async def test_a_bad_item_fails_alone(gate: Gate, slot: Slot[int, float]) -> None:
    gate.open.set()
    good, bad, also_good = await slot.submit([1, 0, 4])
    assert (good, also_good) == (1.0, 0.25)
    assert isinstance(bad, NoFace)


async def test_a_cancelled_call_is_dropped_before_its_run(
    gate: Gate, slot: Slot[int, float]
) -> None:
    first = await started(slot, 1)
    gone, stays = await started(slot, 2, 4)
    gone.cancel()
    await asyncio.sleep(0)
    gate.open.set()
    assert await asyncio.gather(*first, stays) == [[1.0], [0.25]]
    assert gate.batches == [[1], [4]]


async def test_a_call_cancelled_during_its_run_strands_nobody(
    gate: Gate, slot: Slot[int, float]
) -> None:
    await started(slot, 1)
    gone, stays = await started(slot, 2, 4)
    gate.open.set()
    await asyncio.sleep(0.02)
    gone.cancel()
    assert await stays == [0.25]
    assert await slot.submit([8]) == [0.125]


async def test_the_slot_works_again_after_it_was_idle(gate: Gate, slot: Slot[int, float]) -> None:
    gate.open.set()
    for number in (1, 2, 4):
        assert await slot.submit([number]) == [1 / number]
