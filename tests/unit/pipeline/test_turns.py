"""Sessions that nobody watches take turns while somebody watches another."""

import asyncio

from app.pipeline.turns import Turns


async def most_at_once(turns: Turns, sessions: int) -> tuple[int, list[int]]:
    """Return how many of some sessions worked at once, and in which order they began."""
    working, most, order = 0, 0, []

    async def work(number: int) -> None:
        nonlocal working, most
        async with turns.turn():
            working, most = working + 1, max(most, working + 1)
            order.append(number)
            await asyncio.sleep(0.001)
            working -= 1

    await asyncio.gather(*(work(number) for number in range(sessions)))
    return most, order


async def test_all_work_at_once_while_nobody_watches() -> None:
    assert (await most_at_once(Turns(), 4))[0] == 4


async def test_one_works_at_a_time_in_order_while_somebody_watches() -> None:
    turns = Turns()
    with turns.watching():
        assert await most_at_once(turns, 4) == (1, [0, 1, 2, 3])
    assert (await most_at_once(turns, 4))[0] == 4


async def test_a_turn_is_free_again_after_its_session_failed_or_left() -> None:
    turns, started = Turns(), asyncio.Event()

    async def stay() -> None:
        async with turns.turn():
            started.set()
            await asyncio.Event().wait()

    with turns.watching():
        task = asyncio.create_task(stay())
        await started.wait()
        waiting = asyncio.create_task(most_at_once(turns, 1))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert (await asyncio.wait_for(waiting, 5))[0] == 1


async def test_two_watchers_must_both_leave() -> None:
    turns = Turns()
    with turns.watching():
        with turns.watching():
            pass
        assert (await most_at_once(turns, 3))[0] == 1
