"""Live calls in a slot: before others, which go one by one while somebody watches."""

import asyncio
import threading
from collections.abc import Sequence

from app.observability.origin import Origin
from app.serving.batching import Slot, Ticket


async def test_live_calls_overtake_others() -> None:
    started, go = threading.Event(), threading.Event()
    runs: list[list[int]] = []

    def work(items: Sequence[int]) -> list[int]:
        started.set()
        go.wait(10)
        runs.append(list(items))
        return list(items)

    slot: Slot[int, int] = Slot(work, 2, "test", frames=lambda _: 8)

    async def batched(ticket: Ticket[int]) -> int | Exception:
        return (await slot.run([ticket]))[0]

    first = asyncio.create_task(slot.submit(0, batched))
    await asyncio.to_thread(started.wait, 10)
    clips = [asyncio.create_task(slot.submit(number, batched)) for number in (1, 2, 3)]
    await asyncio.sleep(0)
    live = asyncio.create_task(slot.submit(4, batched, Origin(live=True)))
    await asyncio.sleep(0)
    go.set()
    await asyncio.gather(first, live, *clips)
    # A stream's next call comes soon, and would wait for all of a full run: clips go one by one.
    assert runs == [[0], [4, 1], [2], [3]]
    pace = slot.pace()
    assert pace is not None
    assert pace.frames_per_s > 0
