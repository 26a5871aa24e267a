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
    loop, trims = asyncio.get_running_loop(), asyncio.Queue[None]()
    own = Heap(lambda: loop.call_soon_threadsafe(trims.put_nowait, None))
    for _ in range(5):
        own.release()
    async with asyncio.timeout(30):
        await trims.get()
        await trims.get()
    await asyncio.sleep(0.1)
    assert trims.empty()


async def test_glibc_is_asked_by_default() -> None:
    own = Heap()
    assert own._trim is None or own._trim() in (0, 1)
