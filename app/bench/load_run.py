"""A whole load run: every level that was asked for, one after the other, on one server."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import httpx
import psutil

from app.bench.arrivals import Pattern, arrivals, starts
from app.bench.capacity import most_per_s, most_streams
from app.bench.cost import Price
from app.bench.load import Tally, kept_busy, open_loop
from app.bench.load_client import AFTER_S, BEFORE_S, FPS, Ask, Body, Chunk, Clip
from app.bench.load_figures import Level, LevelFigures, figures_of
from app.bench.server_watch import ServerFigures, ServerWatch
from app.bench.speech import loudest, stretched
from app.errors import NotReady

CLIP_S = 10.0
RAMP_S = 2.0
"""Live streams begin within this time, as users do not all come at once."""

WARM_UP_S = 60.0

Tell = Callable[[str, int], None]
"""Told what is about to be measured, and how many levels were."""


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """What a load run does.

    Attributes:
        levels: in order.
        seconds: during which requests arrive, or streams last.
        deadline_s: after which a request is given up.
        seed: of the arrivals.
        pattern: of the arrivals.
        size: longer side of the video, px.
        search: whether the most live streams and chunks per second are looked for, too.
        most_streams: the largest count of streams that the search tries.
        most_per_s: the largest rate of chunks that the search tries.
        budget_s: the P95 latency that a rate of chunks must keep.
        chunk_frames: of the chunks that are searched for.
        export_s: how long it takes until `/metrics` shows what has happened.
    """

    levels: Sequence[Level]
    seconds: float = 30.0
    deadline_s: float = 60.0
    seed: int = 0
    pattern: Pattern = "poisson"
    size: int = 512
    search: Sequence[str] = ()
    most_streams: int = 64
    most_per_s: float = 400.0
    budget_s: float = 0.25
    chunk_frames: Sequence[int] = (1, 5)
    export_s: float = 12.0


@dataclass(slots=True)
class LoadRun:
    """What a load run showed.

    Attributes:
        models: who answers, by `GET /v1/models`.
        levels: in the order of measuring, those of searches included.
        capacity: the most that held, by series.
        unanswered: series that the server does not answer, and why.
    """

    models: list[dict[str, object]] = field(default_factory=list)
    levels: list[LevelFigures] = field(default_factory=list)
    capacity: dict[str, float] = field(default_factory=dict)
    unanswered: dict[str, str] = field(default_factory=dict)


class LoadRunner:
    """Runs a plan against one server.

    Args:
        client: with the server's address and key.
        plan: what to do.
        portrait: bytes of a photo.
        audio: bytes of a recording.
        price: of the server.
        processes: of the server, none if it is elsewhere.
        tell: what is about to be measured.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        plan: LoadPlan,
        portrait: bytes,
        audio: bytes,
        price: Price,
        processes: Callable[[], list[psutil.Process]],
        tell: Tell = lambda what, done: None,
    ) -> None:
        self._client, self._plan, self._price, self._tell = client, plan, price, tell
        self._portrait, self._audio = portrait, audio
        self._watch = ServerWatch(client, processes, plan.export_s)
        self._asks: dict[str, Ask] = {}
        self.run = LoadRun()

    async def all(self) -> LoadRun:
        """Return what every level showed, of each series that the server answers at all.

        Raises:
            NotReady: the server is not there, or refuses its metrics.
        """
        self.run.models = await _models(self._client)
        for level in self._plan.levels:
            if await self._answers(level):
                await self._measure(level)
        for unit in self._plan.search:
            await self._search(unit)
        self._tell("done", len(self.run.levels))
        return self.run

    async def _search(self, unit: str) -> None:
        """Find the most that holds, in the units that have a limit to hold."""
        plan = self._plan
        if unit == "live" and await self._answers(Level("live", 1)):
            self.run.capacity["live"] = await most_streams(self._live_holds, plan.most_streams)
        if unit == "chunks":
            for frames in plan.chunk_frames:
                level = Level("chunks", 1, frames)
                if await self._answers(level):
                    holds = partial(self._chunks_hold, frames)
                    most = await most_per_s(holds, 1.0, plan.most_per_s)
                    self.run.capacity[level.series] = most

    async def _live_holds(self, streams: float) -> bool:
        return (await self._measure(Level("live", streams))).keeps_up

    async def _chunks_hold(self, frames: int, per_s: float) -> bool:
        figures = await self._measure(Level("chunks", per_s, frames))
        p95_s = figures.latency.p95_s
        return figures.clean and p95_s is not None and p95_s <= self._plan.budget_s

    async def _measure(self, level: Level) -> LevelFigures:
        """Measure a level; one that a search comes upon again is not measured twice."""
        known = [each for each in self.run.levels if each.level == level]
        if known:
            return known[0]
        load = f"{level.series} at {level.load:g}{' a second' if level.is_open else ''}"
        self._tell(load, len(self.run.levels))
        server = ServerFigures()
        async with self._watch.level(server):
            tally = await self._load(level, self._asks[level.series])
        figures = figures_of(level, tally, server, self._price)
        self.run.levels.append(figures)
        return figures

    async def _load(self, level: Level, ask: Ask) -> Tally:
        plan = self._plan
        match level.unit:
            case "frames" | "callers":
                return await kept_busy(ask, round(level.load), plan.seconds)
            case "live":
                due_s = starts(round(level.load), RAMP_S, plan.seed)
                return await open_loop(ask, due_s.tolist(), plan.seconds + plan.deadline_s)
            case "clips" | "chunks":
                due_s = arrivals(level.load, plan.seconds, plan.seed, plan.pattern)
                return await open_loop(ask, due_s.tolist(), plan.deadline_s, plan.seconds)

    async def _answers(self, level: Level) -> bool:
        """Return whether the server answers a series; asked once, which also warms it up."""
        series, unanswered = level.series, self.run.unanswered
        if series not in self._asks and series not in unanswered:
            self._tell(f"warming up {series}", len(self.run.levels))
            ask = await asyncio.to_thread(self._ask, level)
            now_s = asyncio.get_running_loop().time()
            outcome = await ask(now_s, now_s + self._plan.seconds + WARM_UP_S)
            self._watch.forget()
            if outcome.status == "ok":
                self._asks[series] = ask
            else:
                unanswered[series] = f"{outcome.problem}. {outcome.detail}".strip()
        return series in self._asks

    def _ask(self, level: Level) -> Ask:
        fields = {"fps": str(FPS), "size": str(self._plan.size)}
        if level.in_chunks:
            audio = loudest(self._audio, BEFORE_S + level.frames / FPS + AFTER_S)
            return Chunk(self._client, self._portrait, audio, fields, level.frames)
        length_s = self._plan.seconds if level.unit == "live" else CLIP_S
        if level.unit == "live":
            fields["pace"] = "live"
        files = {"portrait": self._portrait, "audio": stretched(self._audio, length_s)}
        return Clip(self._client, Body.of(files, fields))


async def _models(client: httpx.AsyncClient) -> list[dict[str, object]]:
    """Return the server's models, none where it does not say.

    Raises:
        NotReady: it cannot be reached, or is not ready.
    """
    try:
        answer = await client.get("/readyz")
    except httpx.HTTPError:
        raise NotReady(
            f"No server answers at {client.base_url}.", "Start it, or see --url."
        ) from None
    if answer.status_code != 200:
        raise NotReady("The server is not ready.", "See what /readyz says.")
    models: list[dict[str, object]] = []
    with suppress(httpx.HTTPError, KeyError, ValueError):
        models = (await client.get("/v1/models")).raise_for_status().json()["data"]
    return models
