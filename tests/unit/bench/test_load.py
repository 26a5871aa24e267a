"""The open loop waits for nobody, and every request is accounted for."""

import asyncio

import pytest

from app.bench import load
from app.bench.load import kept_busy, open_loop
from app.bench.load_client import Outcome, Status


def outcome(due_s: float, status: Status = "ok") -> Outcome:
    now_s = asyncio.get_running_loop().time()
    return Outcome(due_s, sent_s=now_s, ended_s=now_s, status=status)


async def test_nothing_is_answered_before_all_are_sent_and_still_all_are_sent() -> None:
    all_sent, sent = asyncio.Event(), 0

    async def ask(due_s: float, until_s: float) -> Outcome:
        nonlocal sent
        sent += 1
        if sent == 5:
            all_sent.set()
        await all_sent.wait()
        return outcome(due_s)

    tally = await open_loop(ask, [0, 0, 0.01, 0.01, 0.02], deadline_s=30)
    assert [round(each.due_s - tally.started_s, 2) for each in tally.outcomes] == [
        *(0, 0, 0.01, 0.01, 0.02)
    ]
    assert tally.unsent == 0


async def test_latency_counts_from_when_a_request_was_due_even_if_it_was_sent_later() -> None:
    late = Outcome(due_s=10.0, sent_s=12.0, ended_s=13.0, frames_s=[12.5])
    assert late.latency_s == 3
    assert late.first_s == 2.5


async def test_a_deadline_counts_from_when_a_request_was_due() -> None:
    seen: list[float] = []

    async def ask(due_s: float, until_s: float) -> Outcome:
        seen.append(until_s - due_s)
        return outcome(due_s)

    await open_loop(ask, [0, 0.01], deadline_s=7)
    assert seen == pytest.approx([7, 7])


async def test_what_is_too_much_at_once_is_not_sent_but_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(load, "MOST_OPEN", 2)
    gate = asyncio.Event()

    async def ask(due_s: float, until_s: float) -> Outcome:
        await gate.wait()
        return outcome(due_s)

    running = asyncio.create_task(open_loop(ask, [0, 0, 0, 0, 0], deadline_s=30))
    await asyncio.sleep(0.01)
    gate.set()
    tally = await running
    assert (len(tally.outcomes), tally.unsent) == (2, 3)


async def test_a_rate_is_not_taken_over_less_than_the_time_in_which_requests_arrive() -> None:
    async def ask(due_s: float, until_s: float) -> Outcome:
        return outcome(due_s)

    tally = await open_loop(ask, [0], deadline_s=7, window_s=0.05)
    assert tally.ended_s == tally.started_s + 0.05


async def test_a_level_that_is_broken_off_leaves_no_request_behind() -> None:
    ended: list[str] = []

    async def ask(due_s: float, until_s: float) -> Outcome:
        try:
            await asyncio.sleep(600)
        finally:
            ended.append("cancelled")
        return outcome(due_s)

    running = asyncio.create_task(open_loop(ask, [0, 0, 500], deadline_s=900))
    await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert ended == ["cancelled"] * 2


async def test_sessions_are_kept_busy_and_what_the_end_cuts_off_is_no_failure() -> None:
    open_now, most_open = 0, 0

    async def ask(due_s: float, until_s: float) -> Outcome:
        nonlocal open_now, most_open
        open_now += 1
        most_open = max(most_open, open_now)
        await asyncio.sleep(0.005)
        open_now -= 1
        is_over = asyncio.get_running_loop().time() >= until_s
        return outcome(due_s, "overdue" if is_over else "ok")

    tally = await kept_busy(ask, 3, 0.1)
    assert most_open == 3
    assert len(tally.outcomes) > 3
    assert {each.status for each in tally.outcomes} == {"ok", "cut"}


async def test_a_session_that_is_refused_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "PAUSE_S", 0.04)
    asked = 0

    async def ask(due_s: float, until_s: float) -> Outcome:
        nonlocal asked
        asked += 1
        return outcome(due_s, "refused")

    await kept_busy(ask, 1, 0.1)
    assert 1 <= asked <= 4
