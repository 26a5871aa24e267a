"""Places for sessions, and the queue before them."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from app.api.admission import Sessions
from app.api.keys import LOCAL, Client
from app.errors import OverCapacity
from app.observability.labels import DECISIONS


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


async def hold(sessions: Sessions, order: list[str], name: str, until: asyncio.Event) -> None:
    async with sessions.admitted(Client(name, None)):
        order.append(name)
        await until.wait()


async def test_a_place_is_free_again_when_its_session_ends_or_fails() -> None:
    seen: list[int] = []
    sessions = Sessions(1, seen.append)
    async with sessions.admitted(LOCAL):
        with pytest.raises(OverCapacity) as refused:
            async with sessions.admitted(Client("b", None)):
                pass
        assert refused.value.retry_after_s > 0
    with pytest.raises(ValueError, match="broken"):
        async with sessions.admitted(LOCAL):
            raise ValueError("broken")
    async with sessions.admitted(LOCAL):
        pass
    assert seen == [1, 0, 1, 0, 1, 0]


async def test_a_client_at_its_limit_leaves_places_to_others() -> None:
    alice, bob = Client("alice", 1), Client("bob", 1)
    sessions = Sessions(3)
    async with sessions.admitted(alice):
        with pytest.raises(OverCapacity, match="key"):
            async with sessions.admitted(alice):
                pass
        async with sessions.admitted(bob):
            pass
    async with sessions.admitted(alice):
        pass


async def test_who_waits_gets_the_next_place_in_turn() -> None:
    sessions, order, until = Sessions(1, max_waiting=2), [], asyncio.Event()  # type: ignore[var-annotated]
    tasks = [asyncio.create_task(hold(sessions, order, name, until)) for name in "abc"]
    await asyncio.sleep(0)
    assert order == ["a"]
    with pytest.raises(OverCapacity, match="2 wait"):
        async with sessions.admitted(LOCAL):
            pass
    until.set()
    await asyncio.gather(*tasks)
    assert order == ["a", "b", "c"]
    async with sessions.admitted(LOCAL):
        pass


async def test_who_leaves_the_queue_takes_no_place_along() -> None:
    seen: list[int] = []
    sessions, order = Sessions(1, seen.append, max_waiting=2), list[str]()
    until = asyncio.Event()
    first, second, third = (
        asyncio.create_task(hold(sessions, order, name, until)) for name in "abc"
    )
    await asyncio.sleep(0)
    second.cancel()
    until.set()
    # Its place comes in the same turn of the loop in which it is cancelled.
    await asyncio.gather(first, second, third, return_exceptions=True)
    assert order == ["a", "c"]
    assert seen[-1] == 0


async def test_a_place_that_comes_to_who_just_left_goes_on_to_the_next() -> None:
    sessions, order = Sessions(1, max_waiting=2), list[str]()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(sessions.admitted(LOCAL))
        until = asyncio.Event()
        until.set()
        second, third = (asyncio.create_task(hold(sessions, order, name, until)) for name in "bc")
        await asyncio.sleep(0)
        await stack.aclose()  # hands the place to b, which has not run since
        second.cancel()
    await asyncio.gather(second, third, return_exceptions=True)
    assert order == ["c"]


async def test_when_to_come_back_follows_how_long_sessions_take() -> None:
    clock = Clock()
    sessions = Sessions(2, max_waiting=1, max_wait_s=60.0, clock=clock)
    async with sessions.admitted(LOCAL):
        clock.now_s += 40.0
    until, order = asyncio.Event(), list[str]()
    tasks = [asyncio.create_task(hold(sessions, order, name, until)) for name in "abc"]
    await asyncio.sleep(0)
    with pytest.raises(OverCapacity) as refused:
        async with sessions.admitted(LOCAL):
            pass
    assert refused.value.retry_after_s == 20  # one of two places, each taken for 40 s
    until.set()
    await asyncio.gather(*tasks)


async def test_nobody_waits_for_longer_than_allowed() -> None:
    clock = Clock()
    sessions = Sessions(1, max_waiting=4, max_wait_s=10.0, clock=clock)
    async with sessions.admitted(LOCAL):
        clock.now_s += 40.0
    async with sessions.admitted(LOCAL):
        with pytest.raises(OverCapacity) as refused:
            async with sessions.admitted(LOCAL):
                pass
    assert refused.value.retry_after_s == 40
    quick = Sessions(1, max_waiting=1, max_wait_s=0.01, clock=clock)
    quick._session_s = 0.001
    async with quick.admitted(LOCAL):
        with pytest.raises(OverCapacity):
            async with quick.admitted(LOCAL):
                pass


async def test_every_decision_is_told() -> None:
    told: list[str] = []
    sessions = Sessions(1, decided=told.append, max_waiting=1)
    async with sessions.admitted(Client("alice", 1)):
        with pytest.raises(OverCapacity):
            async with sessions.admitted(Client("alice", 1)):
                pass
        waiting = asyncio.create_task(hold(sessions, [], "bob", asyncio.Event()))
        await asyncio.sleep(0)
        with pytest.raises(OverCapacity):
            async with sessions.admitted(LOCAL):
                pass
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert told == ["admitted", "key_full", "server_full", "waited"]
    assert {*told, "live_full"} == set(DECISIONS)
