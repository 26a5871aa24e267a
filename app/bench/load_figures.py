"""One level of load, and the figures of it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from app.bench.cost import Cost, Price, cost_of
from app.bench.load import Tally
from app.bench.load_client import FPS, Outcome
from app.bench.server_watch import ServerFigures

Unit = Literal["frames", "live", "clips", "chunks", "callers"]

UNITS: dict[Unit, str] = {
    "frames": "clips of 10 s as fast as they come, so many sessions kept busy: frames per second",
    "live": "so many streams at live pace side by side: those without a late frame",
    "clips": "clips of 10 s, an open loop: finished ones per minute",
    "chunks": "short chunks through /v1/frames, an open loop: answered ones per second",
    "callers": "the same, so many callers each with one under way: answered ones per second",
}


@dataclass(frozen=True, slots=True)
class Level:
    """What is asked of the server.

    Attributes:
        unit: in which the load counts.
        load: sessions, streams or callers side by side, or for `clips` and `chunks` arrivals per
            second.
        frames: of a chunk; 0 in other units.
    """

    unit: Unit
    load: float
    frames: int = 0

    @property
    def series(self) -> str:
        """What loads belong together, such as `chunks of 5`."""
        return f"{self.unit} of {self.frames}" if self.in_chunks else self.unit

    @property
    def in_chunks(self) -> bool:
        """Whether requests are short chunks."""
        return self.unit in ("chunks", "callers")

    @property
    def is_open(self) -> bool:
        """Whether requests arrive at a rate, and do not wait for answers."""
        return self.unit in ("clips", "chunks")


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Seconds, of all that have such a time; None if nothing has."""

    p50_s: float | None
    p95_s: float | None
    p99_s: float | None

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Percentiles":
        """Return the percentiles of some times."""
        if not seconds:
            return cls(None, None, None)
        return cls(*(float(value) for value in np.percentile(seconds, (50, 95, 99))))


@dataclass(frozen=True, slots=True)
class LevelFigures:
    """What one level showed.

    Attributes:
        level: what was asked.
        seconds: from the first request that was due to the last outcome.
        sent: requests.
        ok: those answered in full.
        refused: those answered 429.
        failed: all others but those that the level's end cut off.
        unsent: due, but too many were under way already.
        problems: how many requests ended with which code.
        retry_after_s: the longest that a refusal asked to wait.
        latency: from when a request was due to its last byte; of a live stream, to its first
            frames. Refusals have none; what got no answer in time counts with its age.
        first: from when a request was due to its first frames.
        frames: that arrived.
        frames_per_s: the same per second.
        per_s: requests answered in full per second.
        open_mean: requests under way, on average.
        late_frames: of all streams, as the client saw them.
        late_streams: streams with at least one.
        behind_s: worst wait before playing with which no frame would have been missed.
        lag_p99_s: how late the client itself sent what was due: the generator's own fault.
        resent: chunks whose portrait had to be sent again.
        cost: at this level.
        server: what it says itself.
    """

    level: Level
    seconds: float
    sent: int
    ok: int
    refused: int
    failed: int
    unsent: int
    problems: dict[str, int]
    retry_after_s: float | None
    latency: Percentiles
    first: Percentiles
    frames: int
    frames_per_s: float
    per_s: float
    open_mean: float
    late_frames: int
    late_streams: int
    behind_s: float
    lag_p99_s: float
    resent: int
    cost: Cost
    server: ServerFigures = field(default_factory=ServerFigures)

    @property
    def clean(self) -> bool:
        """Whether every request was answered in full, and something was asked."""
        return self.ok == self.sent > 0 and not self.unsent

    @property
    def keeps_up(self) -> bool:
        """Whether all streams came, and no frame of them late."""
        return self.clean and not self.late_frames

    @property
    def headline(self) -> float:
        """The level's figure in its own unit: see `UNITS`."""
        match self.level.unit:
            case "frames":
                return self.frames_per_s
            case "live":
                return self.ok - self.late_streams
            case "clips":
                return 60 * self.per_s
            case "chunks" | "callers":
                return self.per_s


def figures_of(level: Level, tally: Tally, server: ServerFigures, price: Price) -> LevelFigures:
    """Return the figures of a level."""
    outcomes, seconds = tally.outcomes, tally.ended_s - tally.started_s
    ok = [outcome for outcome in outcomes if outcome.status == "ok"]
    frames = sum(len(outcome.frames_s) for outcome in outcomes)
    per_s = len(ok) / seconds if seconds else 0.0
    frames_per_s = frames / seconds if seconds else 0.0
    refusals = [each.retry_after_s for each in outcomes if each.retry_after_s is not None]
    statuses = Counter(outcome.status for outcome in outcomes)
    return LevelFigures(
        level=level,
        seconds=seconds,
        sent=len(outcomes),
        ok=len(ok),
        refused=statuses["refused"],
        failed=statuses["failed"] + statuses["overdue"],
        unsent=tally.unsent,
        problems=dict(Counter(each.problem for each in outcomes if each.problem).most_common()),
        retry_after_s=max(refusals, default=None),
        latency=Percentiles.of(_latencies(level, outcomes)),
        first=Percentiles.of([s for each in ok if (s := each.first_s) is not None]),
        frames=frames,
        frames_per_s=frames_per_s,
        per_s=per_s,
        open_mean=sum(each.ended_s - each.sent_s for each in outcomes) / seconds if seconds else 0,
        late_frames=sum(outcome.late_frames for outcome in outcomes),
        late_streams=sum(outcome.late_frames > 0 for outcome in ok),
        behind_s=max((outcome.behind_s for outcome in outcomes), default=0.0),
        lag_p99_s=Percentiles.of([each.sent_s - each.due_s for each in outcomes]).p99_s or 0.0,
        resent=sum(outcome.resent for outcome in outcomes),
        cost=cost_of(price.per_hour(server.gpus), per_s, frames_per_s / FPS),
        server=server,
    )


def _latencies(level: Level, outcomes: Sequence[Outcome]) -> list[float]:
    """Return the latencies that count; leaving out what is overdue would flatter the server."""
    counted = [outcome for outcome in outcomes if outcome.status in ("ok", "overdue")]
    if level.unit != "live":
        return [outcome.latency_s for outcome in counted]
    return [outcome.first_s or outcome.latency_s for outcome in counted]
