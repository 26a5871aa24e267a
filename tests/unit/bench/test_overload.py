"""Too many users: who comes back when told to, what counts as lost, and what is asked for."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import httpx
import pytest

from app.bench import overload as module
from app.bench.load import Tally
from app.bench.load_client import Ask, Outcome, Status
from app.bench.overload import Overload, OverloadPlan, Visit, _visit, overload
from app.bench.server_watch import ModelFigures, ServerFigures
from app.demo.run import demo_speech
from app.errors import NotReady
from tests.unit.bench.fake_server import Fake, fake_server

PHOTO = b"the fake server does not look at it"
QUICK = OverloadPlan(seconds=0.2, measure_s=1.0, session_s=1.0, size=64, export_s=0.01)


def outcome(status: Status, retry_after_s: float | None = None, late: bool = False) -> Outcome:
    frames_s = [1.0, 9.0] if late else [1.0, 1.04]
    return Outcome(0.0, 0.0, 2.0, status, frames_s=frames_s, retry_after_s=retry_after_s)


def found(*visits: Visit, recovered_s: float | None = 1.0, wait_s: float = 0.1) -> Overload:
    model = ModelFigures(live_wait_p95_s=wait_s, run_mean_s=0.1)
    server = ServerFigures(models={"portrait": model, "lips": model})
    refused = Visit("live", [outcome("refused", 3.0)])
    return Overload(50.0, 0.2, [refused, *visits], 2.0, recovered_s, 10.0, server)


async def test_a_user_comes_back_when_told_to_until_nobody_does_any_more() -> None:
    loop, asked_s = asyncio.get_running_loop(), list[float]()

    told_s, tickets = iter([0.02, 0.02, 5000.0]), list[str]()

    async def full(due_s: float, until_s: float, ticket: str = "") -> Outcome:
        asked_s.append(loop.time())
        tickets.append(ticket)
        # The second refusal is by somebody who keeps no places: the first one's ticket still holds.
        given = "mine" if len(tickets) == 1 else ""
        return replace(outcome("refused", next(told_s)), ticket=given)

    began_s = loop.time()
    visit = await _visit("live", full, began_s, began_s + 1000)
    assert [each.status for each in visit.tries] == ["refused"] * 3
    assert all(later - sooner >= 0.02 for sooner, later in pairwise(asked_s))
    assert tickets == ["new", "mine", "mine"]


async def test_a_user_who_gets_in_asks_no_more() -> None:
    answers = iter([outcome("refused", 0.01), outcome("ok"), outcome("ok")])

    async def ask(due_s: float, until_s: float, ticket: str = "") -> Outcome:
        return next(answers)

    now_s = asyncio.get_running_loop().time()
    visit = await _visit("clip", ask, now_s, now_s + 10)
    assert [each.status for each in visit.tries] == ["refused", "ok"]
    assert found(visit).returns() == (1, 1)


@pytest.mark.parametrize(
    ("wrong", "missed"),
    [
        (found(Visit("live", [outcome("ok")])), []),
        (found(Visit("live", [outcome("ok", late=True)])), ["no frame of a live stream late"]),
        (found(Visit("clip", [outcome("ok", late=True)])), []),
        (found(Visit("clip", [outcome("failed")])), ["nothing lost"]),
        (found(Visit("clip", [outcome("overdue")])), ["nothing lost"]),
        (found(Visit("clip", [outcome("refused")])), ["every refusal says when"]),
        (found(recovered_s=5.1), ["recovered within 5 s"]),
        (found(recovered_s=None), ["recovered within 5 s"]),
        (found(wait_s=0.21), ["live calls wait 2 runs at most"]),
    ],
)
def test_what_was_asked_for_is_judged(wrong: Overload, missed: list[str]) -> None:
    assert [name for name, holds in wrong.verdict().items() if not holds] == missed


def test_what_refuses_nobody_was_not_overloaded() -> None:
    quiet = replace(found(), visits=[Visit("live", [outcome("ok")])])
    assert not quiet.verdict()["some are refused"]


@pytest.fixture(scope="module")
def fake() -> Iterator[Fake]:
    with fake_server() as serving:
        yield serving


async def test_a_server_is_measured_at_rest_and_then_asked_for_too_much(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def busy(ask: Ask, sessions: int, seconds: float) -> Tally:
        return Tally(started_s=0.0, ended_s=1.0, outcomes=[outcome("ok")] * 100)

    monkeypatch.setattr(module, "kept_busy", busy)
    told: list[str] = []
    async with httpx.AsyncClient(base_url=fake.url, trust_env=False) as client:
        seen = await overload(client, QUICK, PHOTO, demo_speech(), list, told.append)
    assert seen.capacity_fps == 200
    assert {visit.kind for visit in seen.visits} == {"live", "clip"}
    assert not seen.lost
    assert seen.recovered_s is not None
    assert len(told) == 3


async def test_a_server_that_makes_nothing_is_not_overloaded(fake: Fake) -> None:
    fake.mode = "fail"
    async with httpx.AsyncClient(base_url=fake.url, trust_env=False) as client:
        with pytest.raises(NotReady, match="makes nothing"):
            await overload(client, QUICK, PHOTO, demo_speech(), list)
