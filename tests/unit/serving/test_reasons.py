"""What a slot answers where there is no answer: why not."""

import asyncio
from collections.abc import Sequence
from typing import Any

from app.errors import NoFace, NotReady
from app.serving.batching import Later, Slot, Ticket


async def test_a_host_without_memory_is_told_to_try_again() -> None:
    def finish() -> float:
        raise MemoryError

    def work(items: Sequence[int]) -> list[Any]:
        if items == [1]:
            raise MemoryError
        return [Later(finish) for _ in items]

    slot: Slot[int, Any] = Slot(work, 1, "test", frames=int)
    for item in (1, 2):
        (answer,) = await slot.run([Ticket(item, 0.0)])
        assert isinstance(answer, NotReady)
        assert "memory" in answer.detail


async def test_what_is_answered_by_why_not_parts_no_run_and_makes_nobody_faster() -> None:
    runs: list[list[int]] = []

    def work(items: Sequence[int]) -> list[NoFace]:
        runs.append(list(items))
        return [NoFace("zero") for _ in items]

    slot: Slot[int, Any] = Slot(work, 2, "test", frames=int)
    answers = await asyncio.wait_for(slot.run([Ticket(4, 0.0), Ticket(8, 0.0)]), 10)
    assert all(isinstance(answer, NoFace) for answer in answers)
    assert runs == [[4, 8]]
    assert slot.pace() is None
