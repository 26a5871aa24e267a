"""The data path: how many frames a second go through the whole graph when models do nothing."""

import asyncio
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from rich.box import SIMPLE
from rich.table import Table

from app.bench.cost import Price
from app.bench.keyed import keyed
from app.bench.load_client import FPS
from app.bench.load_command import client_of
from app.bench.load_figures import Level, LevelFigures
from app.bench.load_run import LoadPlan, LoadRun, LoadRunner, Tell
from app.client.server import LocalServer
from app.demo.run import demo_portrait, demo_speech

BUILDER = "app.bench.path_app:build_path"
SHOWN_ROLES = 8


@dataclass(frozen=True, slots=True)
class PathPlan:
    """How the data path is measured.

    Attributes:
        config: the Serve configuration whose deployments, queues and settings are used.
        sessions: how many are kept busy, one level after the other.
        seconds: each level takes.
        size: longer side of the video, px.
        export_s: how long it takes until `/metrics` shows what has happened.
        portrait: bytes of a photo; the demo's if absent.
    """

    config: Path
    sessions: Sequence[int]
    seconds: float
    size: int
    export_s: float
    portrait: bytes | None = None


@contextmanager
def idle_config(config: Path) -> Iterator[Path]:
    """Yield a copy of a Serve configuration whose models do nothing."""
    document = yaml.safe_load(config.read_text())
    (application,) = document["applications"]
    application["import_path"] = BUILDER
    with tempfile.TemporaryDirectory(prefix="dh-bench-") as folder:
        path = Path(folder) / config.name
        path.write_text(yaml.safe_dump(document))
        yield path


def measure_path(
    plan: PathPlan, tell: Tell, environment: Mapping[str, str] | None = None
) -> LoadRun:
    """Serve idle models on this machine and return what each level showed.

    Args:
        plan: how.
        tell: what is about to be measured.
        environment: more variables for the server.

    Raises:
        NotReady: the server does not start; the face nets look at the photo once and are needed.
    """
    load = LoadPlan(
        levels=[Level("frames", sessions) for sessions in plan.sessions],
        seconds=plan.seconds,
        size=plan.size,
        export_s=plan.export_s,
    )
    with (
        idle_config(plan.config) as idle,
        keyed(idle) as (config, key),
        LocalServer(config, environment=environment) as server,
    ):

        async def run() -> LoadRun:
            async with client_of(server.url, key, load.deadline_s) as client:
                media = (plan.portrait or demo_portrait(), demo_speech())
                runner = LoadRunner(client, load, *media, Price(), server.processes, tell)
                return await runner.all()

        return asyncio.run(run())


def tables(run: LoadRun, engine_fps: float | None) -> list[Table]:
    """Return frames per second by sessions, and where CPU and time of a frame went."""
    rates = Table(
        title="Frames a second through the whole graph, models that do nothing",
        caption="live: streams of 25 fps that the path could feed",
        box=SIMPLE,
    )
    names = ["sessions", "frames/s", "live", "clip P95 s", "server CPU s/s", "client CPU s/s"]
    names += ["ms CPU a frame"] + (["of the engines'"] if engine_fps else [])
    for name in names:
        rates.add_column(name, justify="right")
    for figures in run.levels:
        rates.add_row(*_rates(figures, engine_fps))
    fullest = max(run.levels, key=lambda figures: figures.frames_per_s)
    least = min(run.levels, key=lambda figures: figures.level.load)
    return [rates, _processes(fullest), _stages(least)]


def _rates(figures: LevelFigures, engine_fps: float | None) -> list[str]:
    cpu_s, p95_s = figures.server.cpu_s or 0.0, figures.latency.p95_s
    row = [
        f"{figures.level.load:g}",
        f"{figures.frames_per_s:.0f}",
        f"{figures.frames_per_s / FPS:.1f}",
        "-" if p95_s is None else f"{p95_s:.2f}",
        f"{cpu_s / figures.seconds:.2f}",
        f"{figures.server.client_cpu_s / figures.seconds:.2f}",
        f"{1000 * cpu_s / max(1, figures.frames):.2f}",
    ]
    return row + ([f"{figures.frames_per_s / engine_fps:.2f} x"] if engine_fps else [])


def _processes(figures: LevelFigures) -> Table:
    table = Table(title=f"CPU at {figures.level.load:g} sessions, by process", box=SIMPLE)
    for name in ("process", "ms a frame", "share"):
        table.add_column(name, justify="left" if name == "process" else "right")
    by_role = figures.server.cpu_s_by_role
    total_s, frames = sum(by_role.values()) or 1.0, max(1, figures.frames)
    for role, cpu_s in list(by_role.items())[:SHOWN_ROLES]:
        table.add_row(role, f"{1000 * cpu_s / frames:.2f}", f"{cpu_s / total_s:.0%}")
    return table


def _stages(figures: LevelFigures) -> Table:
    table = Table(
        title=f"Wall-clock time of the stages at {figures.level.load:g} sessions",
        caption="Waiting included, and estimated from buckets by Ray's export; stages overlap",
        box=SIMPLE,
    )
    table.add_column("stage")
    table.add_column("ms a frame", justify="right")
    frames = figures.server.frames or figures.frames or 1
    for stage, spent_s in sorted(figures.server.stages_s.items(), key=lambda item: -item[1]):
        table.add_row(stage, f"{1000 * spent_s / frames:.2f}")
    return table
