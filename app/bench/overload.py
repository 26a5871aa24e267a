"""What a server does when more is asked than it can make: who gets in, on time, and what then.

Clips and live streams arrive as users do, each for the same share of the frames. Whoever is told
429 comes back when `Retry-After` says, with the ticket that came beside it, as long as others still
arrive.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import httpx
import psutil

from app.bench.arrivals import arrivals
from app.bench.load import kept_busy
from app.bench.load_client import FPS, NEW_TICKET, AskAgain, Body, Clip, Outcome
from app.bench.server_watch import ServerFigures, ServerWatch
from app.bench.speech import stretched
from app.errors import NotReady

Kind = Literal["live", "clip"]
KINDS: tuple[Kind, ...] = ("live", "clip")

BUSY_SESSIONS = 8
"""Clips side by side that are more than two cores, or one GPU, can make at once."""

PROBE_S = 1.0
PROBE_EVERY_S = 0.25
RECOVERED_WITHIN_S = 5.0
GIVEN_UP_S = 60.0
SLACK_S = 0.1
"""Beyond twice of what it takes at rest, a newcomer's first frames may take so much longer."""

MAX_RUNS_WAITED = 2.0


@dataclass(frozen=True, slots=True)
class OverloadPlan:
    """How much is asked.

    Attributes:
        times: of what the server can make.
        seconds: during which users arrive.
        session_s: length of their videos.
        size: longer side, px.
        seed: of the arrivals.
        measure_s: how long the server shows before what it can make.
        export_s: how long it takes until `/metrics` shows what has happened.
    """

    times: float = 2.0
    seconds: float = 45.0
    session_s: float = 5.0
    size: int = 512
    seed: int = 0
    measure_s: float = 20.0
    export_s: float = 12.0


@dataclass(frozen=True, slots=True)
class Visit:
    """A user: asked once, and again after every refusal.

    Attributes:
        kind: of the video.
        tries: in order; the last one is not refused, or nobody came back after it.
    """

    kind: Kind
    tries: Sequence[Outcome]

    @property
    def last(self) -> Outcome:
        """What became of it in the end."""
        return self.tries[-1]


@dataclass(slots=True)
class Overload:
    """What it showed.

    Attributes:
        capacity_fps: frames/s that the server made with as many clips as it takes.
        alone_first_s: seconds to the first frames of a live stream, the server at rest.
        visits: of all users.
        newcomer_s: from the last arrival until a new live stream was on time; None if none was.
        recovered_s: the same from the last answer on, and as soon as at rest.
        clip_fps: frames/s of clips while users arrived.
        server: what it says of all that.
    """

    capacity_fps: float
    alone_first_s: float
    visits: list[Visit] = field(default_factory=list)
    newcomer_s: float | None = None
    recovered_s: float | None = None
    clip_fps: float = 0.0
    server: ServerFigures = field(default_factory=ServerFigures)

    def of(self, kind: Kind, status: str) -> list[Visit]:
        """Return the users of a kind whose last try ended so."""
        return [each for each in self.visits if each.kind == kind and each.last.status == status]

    @property
    def lost(self) -> list[Visit]:
        """Return those who got in and not all of their video, or something else than 429."""
        return [each for each in self.visits if each.last.status not in ("ok", "refused")]

    @property
    def late_frames(self) -> int:
        """Return the frames that came too late in live streams that were accepted."""
        return sum(each.last.late_frames for each in self.visits if each.kind == "live")

    def returns(self) -> tuple[int, int]:
        """Return how often somebody came back when told to, and how often that got them in."""
        again = [outcome for visit in self.visits for outcome in visit.tries[1:]]
        return len(again), sum(outcome.status == "ok" for outcome in again)

    def runs_waited(self, model: str) -> float | None:
        """Return the P95 wait of live calls in runs of the model, of its mean length."""
        figures = self.server.models.get(model)
        if figures is None or not figures.run_mean_s or figures.live_wait_p95_s is None:
            return None
        return figures.live_wait_p95_s / figures.run_mean_s

    def verdict(self) -> dict[str, bool]:
        """Return what was asked for, and whether it holds."""
        waits = [self.runs_waited(model) for model in ("portrait", "lips")]
        recovered_s = self.recovered_s
        return {
            "some are refused": any(visit.tries[0].status == "refused" for visit in self.visits),
            "no frame of a live stream late": not self.late_frames,
            "nothing lost": not self.lost,
            "every refusal says when": all(
                outcome.retry_after_s for visit in self.visits for outcome in _refusals(visit)
            ),
            f"recovered within {RECOVERED_WITHIN_S:g} s": recovered_s is not None
            and recovered_s <= RECOVERED_WITHIN_S,
            f"live calls wait {MAX_RUNS_WAITED:g} runs at most": all(
                wait is not None and wait <= MAX_RUNS_WAITED for wait in waits
            ),
            "clips go on": self.clip_fps > 0,
        }


def _refusals(visit: Visit) -> list[Outcome]:
    return [outcome for outcome in visit.tries if outcome.status == "refused"]


Tell = Callable[[str], None]


async def overload(
    client: httpx.AsyncClient,
    plan: OverloadPlan,
    portrait: bytes,
    audio: bytes,
    processes: Callable[[], list[psutil.Process]],
    tell: Tell = lambda what: None,
) -> Overload:
    """Return what a server does under too much load.

    Args:
        client: with the server's address and key.
        plan: how much.
        portrait: bytes of a photo.
        audio: bytes of a recording.
        processes: of the server, none if it is elsewhere.
        tell: what is about to be done.

    Raises:
        NotReady: the server makes nothing even at rest.
    """
    asks = {kind: _ask(client, kind, plan.session_s, plan.size, portrait, audio) for kind in KINDS}
    probe = _ask(client, "live", PROBE_S, plan.size, portrait, audio)
    tell("measuring what it can make")
    found = await _at_rest(asks["clip"], probe, plan)
    watch = ServerWatch(client, processes, plan.export_s)
    tell(f"asking for {plan.times:g} times of that")
    async with watch.level(found.server):
        ended = asyncio.Event()
        began_s = asyncio.get_running_loop().time()
        newcomers = asyncio.create_task(_recovery(probe, found, began_s + plan.seconds, ended))
        per_s = plan.times * found.capacity_fps / (len(KINDS) * FPS * plan.session_s)
        crowds = (_crowd(kind, asks[kind], per_s, plan) for kind in KINDS)
        found.visits = [visit for crowd in await asyncio.gather(*crowds) for visit in crowd]
        ended.set()
        tell("waiting until it is as before")
        await newcomers
    found.clip_fps = _clip_fps(found.visits, began_s, plan.seconds)
    return found


def _ask(
    client: httpx.AsyncClient, kind: Kind, seconds: float, size: int, portrait: bytes, audio: bytes
) -> AskAgain:
    fields = {"fps": f"{FPS}", "size": f"{size}"} | ({"pace": "live"} if kind == "live" else {})
    files = {"portrait": portrait, "audio": stretched(audio, seconds)}
    return Clip(client, Body.of(files, fields))


async def _at_rest(clip: AskAgain, probe: AskAgain, plan: OverloadPlan) -> Overload:
    loop = asyncio.get_running_loop()
    for ask in (clip, probe):
        await ask(loop.time(), loop.time() + GIVEN_UP_S)
    full = await kept_busy(clip, BUSY_SESSIONS, plan.measure_s)
    frames = sum(len(outcome.frames_s) for outcome in full.outcomes)
    await asyncio.sleep(PROBE_S)  # what was cut off is cancelled
    alone = await probe(loop.time(), loop.time() + GIVEN_UP_S)
    if alone.first_s is None or not frames:
        raise NotReady("The server makes nothing.", alone.detail or alone.problem)
    return Overload(frames / (full.ended_s - full.started_s), alone.first_s)


async def _crowd(kind: Kind, ask: AskAgain, per_s: float, plan: OverloadPlan) -> list[Visit]:
    """Let the users of a kind come, and return their visits."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    due_s = arrivals(per_s, plan.seconds, plan.seed + KINDS.index(kind), "poisson")

    async def user(at_s: float) -> Visit:
        return await _visit(kind, ask, began_s + at_s, began_s + plan.seconds)

    return list(await asyncio.gather(*(user(float(at_s)) for at_s in due_s)))


async def _visit(kind: Kind, ask: AskAgain, due_s: float, until_s: float) -> Visit:
    """Ask when due, and again after every refusal, as told; nobody comes back after `until_s`."""
    loop, tries, ticket = asyncio.get_running_loop(), list[Outcome](), NEW_TICKET
    while True:
        await asyncio.sleep(due_s - loop.time())
        outcome = await ask(due_s, due_s + GIVEN_UP_S, ticket)
        tries.append(outcome)
        ticket = outcome.ticket or ticket
        due_s = loop.time() + (outcome.retry_after_s or GIVEN_UP_S)
        if outcome.status != "refused" or due_s > until_s:
            return Visit(kind, tries)


async def _recovery(probe: AskAgain, found: Overload, from_s: float, ended: asyncio.Event) -> None:
    """Ask for short live streams after the last arrival, until one is served as if at rest."""
    loop, ended_s = asyncio.get_running_loop(), None
    await asyncio.sleep(from_s - loop.time())
    while loop.time() < from_s + 2 * GIVEN_UP_S:
        ended_s = ended_s or (loop.time() if ended.is_set() else None)
        outcome = await probe(loop.time(), loop.time() + GIVEN_UP_S)
        if outcome.status == "ok" and not outcome.late_frames:
            first_s = outcome.frames_s[0]
            if found.newcomer_s is None:
                found.newcomer_s = first_s - from_s
            soon = 2 * found.alone_first_s + SLACK_S
            if ended_s is not None and first_s - outcome.due_s <= soon:
                found.recovered_s = first_s - ended_s
                return
        await asyncio.sleep(PROBE_EVERY_S)


def _clip_fps(visits: Sequence[Visit], began_s: float, seconds: float) -> float:
    """Return the frames/s of clips that arrived while users came."""
    times_s = [at_s for each in visits if each.kind == "clip" for at_s in each.last.frames_s]
    return sum(at_s <= began_s + seconds for at_s in times_s) / seconds
