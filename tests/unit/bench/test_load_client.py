"""What becomes of requests, against a server that answers as ours does."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest

from app.bench.load_client import AFTER_S, BEFORE_S, SLACK_S, Body, Chunk, Clip, Outcome
from app.bench.speech import loudest
from app.demo.run import demo_speech
from tests.unit.bench.fake_server import FRAMES, Fake, fake_server

CONTEXT_S = BEFORE_S + AFTER_S


@pytest.fixture(scope="module")
def serving() -> Iterator[Fake]:
    with fake_server() as fake:
        yield fake


@pytest.fixture
def fake(serving: Fake) -> Fake:
    serving.mode = "well"
    serving.asked.clear()
    serving.known.clear()
    return serving


async def clip(fake: Fake, due_s: float | None = None, allowed_s: float = 30) -> Outcome:
    body = Body.of({"portrait": b"photo", "audio": b"speech"}, {"pace": "live"})
    now_s = asyncio.get_running_loop().time()
    async with httpx.AsyncClient(base_url=fake.url, trust_env=False) as client:
        return await Clip(client, body)(due_s or now_s, now_s + allowed_s)


async def test_a_clip_is_answered_in_full_and_its_frames_are_timed(fake: Fake) -> None:
    outcome = await clip(fake)
    assert (outcome.status, outcome.problem) == ("ok", "")
    assert len(outcome.frames_s) == FRAMES
    assert outcome.frames_s == sorted(outcome.frames_s)
    assert outcome.sent_s <= outcome.frames_s[0] <= outcome.ended_s
    assert fake.asked == [{"portrait": "5", "audio": "6", "pace": "live"}]


async def test_a_refusal_is_no_failure_and_says_when_to_come_again(fake: Fake) -> None:
    fake.mode = "refuse"
    outcome = await clip(fake)
    assert (outcome.status, outcome.problem) == ("refused", "over_capacity")
    assert outcome.retry_after_s == 2


@pytest.mark.parametrize(
    ("mode", "problem"),
    [
        ("fail", "not_ready"),
        ("proxy", "502"),
        ("noise", "unreadable_answer"),
        ("short", "frames_missing"),
        ("hang", "RemoteProtocolError"),
    ],
)
async def test_every_other_answer_is_a_failure_with_its_reason(
    fake: Fake, mode: str, problem: str
) -> None:
    fake.mode = mode
    outcome = await clip(fake)
    assert (outcome.status, outcome.problem) == ("failed", problem)


async def test_an_answer_that_does_not_come_in_time_is_overdue(fake: Fake) -> None:
    outcome = await clip(fake, allowed_s=0)
    assert (outcome.status, outcome.problem) == ("overdue", "no_answer_in_time")


async def test_a_server_that_is_not_there_is_a_failure() -> None:
    outcome = await clip(Fake(url="http://127.0.0.1:9", pieces=[]))
    assert (outcome.status, outcome.problem) == ("failed", "ConnectError")


async def test_the_photo_goes_once_and_again_when_it_was_forgotten(fake: Fake) -> None:
    audio = loudest(demo_speech(), CONTEXT_S + 5 / 25)
    async with httpx.AsyncClient(base_url=fake.url, trust_env=False) as client:
        chunk = Chunk(client, b"photo", audio, {"fps": "25", "size": "256"}, frames=5)
        until_s = asyncio.get_running_loop().time() + 30
        first, second = await chunk(0, until_s), await chunk(0, until_s)
        fake.known.clear()
        third = await chunk(0, until_s)
    assert [each.status for each in (first, second, third)] == ["ok"] * 3
    assert [each.resent for each in (first, second, third)] == [False, False, True]
    assert all(len(each.frames_s) == 5 for each in (first, second, third))
    sent = [("portrait" in each, each.get("portrait_id")) for each in fake.asked]
    assert sent == [(True, None), (False, "the-photo"), (False, "the-photo"), (True, None)]


async def test_a_chunk_with_other_than_the_asked_pictures_is_a_failure(fake: Fake) -> None:
    fake.mode, audio = "short", loudest(demo_speech(), CONTEXT_S + 5 / 25)
    async with httpx.AsyncClient(base_url=fake.url, trust_env=False) as client:
        chunk = Chunk(client, b"photo", audio, {}, frames=5)
        outcome = await chunk(0, asyncio.get_running_loop().time() + 30)
    assert (outcome.status, outcome.problem) == ("failed", "frames_missing")


def test_a_frame_is_late_after_the_first_fragment_the_slack_and_its_own_time() -> None:
    on_time = [100 + SLACK_S / 2 + i / 25 for i in range(50)]
    assert Outcome(0, 0, frames_s=[100, *on_time]).late_frames == 0
    stalled = [100.0] * 25 + [100 + 1 + SLACK_S + 0.01] * 25
    outcome = Outcome(0, 0, frames_s=stalled)
    assert outcome.late_frames == 1  # the others of that fragment are shown later still
    assert outcome.behind_s == pytest.approx(SLACK_S + 0.01)
    assert Outcome(0, 0).late_frames == 0
