"""Free memory goes back to the system, seldom and surely."""

import asyncio

import pytest

from app.serving import heap
from app.serving.heap import Heap


async def test_many_sessions_that_end_together_trim_once_then_once_when_settled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(heap, "PAUSE_S", 0.05)
    monkeypatch.setattr(heap, "SETTLED_S", 0.2)
    trims: list[None] = []
    own = Heap(lambda: trims.append(None))
    for _ in range(5):
        own.release()
    async with asyncio.timeout(30):
        while len(trims) < 2:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    assert len(trims) == 2


async def test_glibc_is_asked_by_default() -> None:
    own = Heap()
    assert own._trim is None or own._trim() in (0, 1)
