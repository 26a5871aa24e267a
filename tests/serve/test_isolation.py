"""Sessions that are batched together do not mix.

Frames are compared before they are encoded: the test runs the ingress's own session code over the
server's models, and H.264 would hide small differences.
"""

import asyncio
import io
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import permutations
from typing import TypeVar

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from prometheus_client.parser import text_string_to_metric_families

from app.client.server import LocalServer
from app.demo.run import demo_speech
from app.jobs import TalkJob
from app.observability.metrics import BATCH_CALLS
from app.pipeline.config import SessionConfig
from app.pipeline.session import render
from app.serving.stage import Stage
from app.serving.take import Take
from tests.serve.conftest import png, wav

MOST = 16
FRAMES = 24

ODD = SessionConfig(group_frames=3, groups_in_flight=2)
"""On a CPU the nets see four frames at once: groups of eight fill them alone, groups of three
share them with a neighbour's."""

EXPORT_S = 40.0
"""Ray exports a replica's metrics every ten seconds."""

Frames = NDArray[np.int16]
Argument = TypeVar("Argument")
Answer = TypeVar("Answer")


def photos(astronaut: NDArray[np.uint8]) -> list[bytes]:
    """Return portraits of two shapes: the face at other places, and each of them mirrored."""
    cuts = [
        astronaut[:448, left : left + width]
        for width, lefts in ((384, (0, 30, 60, 90)), (320, (40, 65, 90, 115)))
        for left in lefts
    ]
    mirrored = [cut[:, ::-1] for cut in cuts]
    # Any first few of them have both shapes, and both ways.
    views = [*cuts[::2], *mirrored[1::2], *mirrored[::2], *cuts[1::2]]
    return [png(np.ascontiguousarray(view)) for view in views]


def recordings() -> list[bytes]:
    """Return a second of the demo's speech each, from other places."""
    import soundfile

    samples, rate_hz = soundfile.read(io.BytesIO(demo_speech()), dtype="int16")
    starts = np.linspace(0, len(samples) - rate_hz, MOST).astype(int)
    return [wav(samples[start : start + rate_hz], rate_hz) for start in starts]


@pytest.fixture(scope="module")
async def takes(stage: Stage, astronaut: NDArray[np.uint8]) -> list[Take]:
    pairs = zip(photos(astronaut), recordings(), strict=True)
    return [
        await stage.prepare(TalkJob(photo, speech, Fraction(FRAMES), 256, "idle", None, seed))
        for seed, (photo, speech) in enumerate(pairs)
    ]


async def frames(take: Take, config: SessionConfig) -> Frames:
    groups = [group.pixels async for group in render(take.scene, config)]
    return np.concatenate(groups).astype(np.int16)


async def together(takes: Sequence[Take], config: SessionConfig) -> list[Frames]:
    return list(await asyncio.gather(*(frames(take, config) for take in takes)))


def meeting(takes: Sequence[Take], config: SessionConfig) -> list[Take]:
    """Return takes that make each call only once all others are about to make theirs."""
    calls = len(takes) * config.groups_in_flight
    animate, paint = asyncio.Barrier(calls), asyncio.Barrier(calls)
    return [meeting_at(take, animate, paint) for take in takes]


def meeting_at(take: Take, animate: asyncio.Barrier, paint: asyncio.Barrier) -> Take:
    lips = take.scene.lips
    assert lips is not None
    held = replace(lips, paint=after(paint, lips.paint))
    shoot = after(animate, take.scene.shoot)
    return replace(take, scene=replace(take.scene, shoot=shoot, lips=held))


def after(
    barrier: asyncio.Barrier, call: Callable[[Argument], Awaitable[Answer]]
) -> Callable[[Argument], Awaitable[Answer]]:
    async def held(argument: Argument) -> Answer:
        await barrier.wait()
        return await call(argument)

    return held


class Runs:
    """How many calls the runs of both models joined, as `/metrics` tells it."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._seen: dict[str, Counter[int]] = {}
        self._missing = 0

    async def start(self) -> None:
        """Count from now on."""
        self._seen = await self._read()

    def expect(self, sessions: int, config: SessionConfig) -> None:
        """Await the calls of so many sessions at the next look."""
        self._missing += sessions * -(-FRAMES // config.group_frames)

    async def since_last(self) -> dict[str, Counter[int]]:
        """Return by model how many runs joined one call, two calls, ... since the last look."""
        async with asyncio.timeout(EXPORT_S):
            while True:
                seen = await self._read()
                new = {model: runs - self._seen[model] for model, runs in seen.items()}
                if all(_calls(runs) >= self._missing for runs in new.values()):
                    self._seen, self._missing = seen, 0
                    return new
                await asyncio.sleep(0.5)

    async def _read(self) -> dict[str, Counter[int]]:
        text = (await self._http.get("/metrics")).text
        up_to: dict[str, dict[float, float]] = {"portrait": {}, "lips": {}}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == f"{BATCH_CALLS.name}_bucket" and sample.labels["model"] in up_to:
                    up_to[sample.labels["model"]][float(sample.labels["le"])] = sample.value
        return {model: _by_calls(runs) for model, runs in up_to.items()}


def _by_calls(up_to: dict[float, float]) -> Counter[int]:
    """Return how many runs joined n calls from how many joined at most n + 0.5."""
    finite = {bound: runs for bound, runs in up_to.items() if bound < float("inf")}
    bounds = sorted(finite)
    runs = np.diff([0, *(finite[bound] for bound in bounds)])
    return Counter({int(b): int(n) for b, n in zip(bounds, runs, strict=True) if n})


def _calls(runs: Counter[int]) -> int:
    return sum(calls * count for calls, count in runs.items())


@pytest.fixture(scope="module")
async def runs(server: LocalServer) -> AsyncIterator[Runs]:
    async with httpx.AsyncClient(base_url=server.url, timeout=30, trust_env=False) as http:
        yield Runs(http)


@pytest.fixture(scope="module")
async def alone(takes: Sequence[Take], runs: Runs) -> list[Frames]:
    await runs.start()
    runs.expect(MOST, SessionConfig())
    return [await frames(take, SessionConfig()) for take in takes]


@pytest.mark.parametrize("sessions", [2, 4, MOST])
async def test_sessions_rendered_together_equal_the_same_rendered_alone(
    takes: Sequence[Take], alone: Sequence[Frames], runs: Runs, sessions: int
) -> None:
    shared = await together(meeting(takes[:sessions], ODD), ODD)
    runs.expect(sessions, ODD)
    assert [len(session) for session in shared] == [FRAMES] * sessions
    assert told_worst(alone[:sessions], shared) <= 1
    assert_swapped_portraits_would_be_seen(alone, shared)
    for joined in (await runs.since_last()).values():
        # A session has two calls under way, so that a run of three held two sessions.
        assert max(joined) > ODD.groups_in_flight, joined


async def test_sixteen_sessions_as_they_are_served_equal_the_same_alone(
    takes: Sequence[Take], alone: Sequence[Frames]
) -> None:
    shared = await together(takes, SessionConfig())
    assert told_worst(alone, shared) <= 1


def told_worst(some: Sequence[Frames], others: Sequence[Frames]) -> int:
    """Return the largest difference between frames of the same sessions; `pytest -s` shows it."""
    pairs = list(zip(some, others, strict=True))
    most = max(int(np.abs(a - b).max()) for a, b in pairs)
    other = sum(int(np.count_nonzero(a != b)) for a, b in pairs) / sum(a.size for a in some)
    print(f"{len(some)} sessions together: at most {most} of 255, in {other:.1e} of the values.")
    return most


def assert_swapped_portraits_would_be_seen(
    alone: Sequence[Frames], shared: Sequence[Frames]
) -> None:
    pairs = zip(alone, shared, strict=False)
    same = max(float(np.abs(a - b).mean()) for a, b in pairs)
    swapped = [
        float(np.abs(alone[one] - shared[other]).mean())
        for one, other in permutations(range(len(shared)), 2)
        if alone[one].shape == shared[other].shape
    ]
    assert min(swapped) > 1000 * max(same, 0.005)
