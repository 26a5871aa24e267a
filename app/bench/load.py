"""How load is put on a server: an open loop that waits for no answer, and sessions kept busy."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.bench.load_client import Ask, Outcome

MOST_OPEN = 2000
"""Requests under way at once; what is due beyond that is not sent, and counted as such."""

PAUSE_S = 0.5
"""What a session that is kept busy waits after a refusal or failure, so as not to spin."""


@dataclass(slots=True)
class Tally:
    """What became of one level's requests.

    Attributes:
        started_s: by the event loop's clock.
        ended_s: when the last outcome was known.
        outcomes: of every request sent.
        unsent: how many were due while `MOST_OPEN` were under way.
    """

    started_s: float
    ended_s: float = 0.0
    outcomes: list[Outcome] = field(default_factory=list)
    unsent: int = 0


async def open_loop(
    ask: Ask, due_s: Sequence[float], deadline_s: float, window_s: float = 0.0
) -> Tally:
    """Send each request when it is due, whether earlier ones are answered or not.

    Args:
        ask: makes a request.
        due_s: when, in seconds from now, ascending.
        deadline_s: how long after it was due a request is given up.
        window_s: for how long they arrive; no rate is taken over less, even if the last of them
            happens to come, and to be answered, earlier.
    """
    loop = asyncio.get_running_loop()
    tally = Tally(loop.time())
    tasks: list[asyncio.Task[Outcome]] = []
    running: set[asyncio.Task[Outcome]] = set()
    try:
        for offset_s in due_s:
            at_s = tally.started_s + offset_s
            await asyncio.sleep(at_s - loop.time())
            if len(running) >= MOST_OPEN:
                tally.unsent += 1
                continue
            task = asyncio.create_task(ask(at_s, at_s + deadline_s))
            tasks.append(task)
            running.add(task)
            task.add_done_callback(running.discard)
        tally.outcomes = list(await asyncio.gather(*tasks))
    finally:
        await _end(tasks)
    tally.outcomes.sort(key=lambda outcome: outcome.due_s)
    tally.ended_s = max(tally.started_s + window_s, loop.time())
    return tally


async def kept_busy(ask: Ask, sessions: int, seconds: float) -> Tally:
    """Keep a number of requests under way: one that ends is followed by the next at once.

    This asks how much a server can do, not how long it lets its users wait: the load falls with
    the server's speed. What is under way at the end is cut off, and counts for what has arrived.
    """
    loop = asyncio.get_running_loop()
    tally = Tally(loop.time())
    until_s = tally.started_s + seconds

    async def session() -> None:
        while (now_s := loop.time()) < until_s:
            outcome = await ask(now_s, until_s)
            if outcome.status == "overdue":
                outcome.status, outcome.problem = "cut", ""
            tally.outcomes.append(outcome)
            if outcome.status in ("refused", "failed"):
                await asyncio.sleep(min(PAUSE_S, max(0.0, until_s - loop.time())))

    tasks = [asyncio.create_task(session()) for _ in range(sessions)]
    try:
        await asyncio.gather(*tasks)
    finally:
        await _end(tasks)
    tally.ended_s = max(until_s, loop.time())
    return tally


async def _end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Leave no request behind when a level is broken off."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
