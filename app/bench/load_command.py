"""`python -m app.bench load`: its options, its progress, and where its results go."""

import argparse
import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from app.bench import load_plot, load_report
from app.bench.cost import Price
from app.bench.load_figures import Level, Unit
from app.bench.load_run import LoadPlan, LoadRun, LoadRunner, Tell
from app.bench.local_server import processes_of
from app.client.server import LocalServer
from app.demo.run import demo_portrait, demo_speech
from app.errors import BadRequest, NotReady

ALL: tuple[Unit, ...] = ("frames", "live", "clips", "chunks", "callers")
RATES = ("clips", "chunks")
CHUNKS = ("chunks", "callers")
LOADS: dict[Unit, tuple[float, ...]] = {
    "frames": (1.0, 2.0, 4.0),
    "live": (1.0, 2.0, 4.0),
    "clips": (0.1, 0.2, 0.4),
    "chunks": (1.0, 2.0, 5.0, 10.0),
    "callers": (1.0, 4.0, 8.0),
}


@dataclass(frozen=True, slots=True)
class Target:
    """The server under load.

    Attributes:
        url: where it answers.
        processes: its own, none if it is elsewhere.
    """

    url: str
    processes: Callable[[], list[psutil.Process]]


@contextmanager
def target_of(url: str, config: Path) -> Iterator[Target]:
    """Yield the server at a URL, or without one a server of a configuration, for that long."""
    if url:
        yield Target(url, lambda: processes_of(url))
        return
    with LocalServer(config) as server:
        yield Target(server.url, server.processes)


def add_load(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command's options."""
    load = commands.add_parser("load", help="open-loop load in four units, on any server")
    load.add_argument("--url", default="", help="of a server; without one, its own of --config")
    load.add_argument("--key", default="", help="API key")
    load.add_argument("--config", type=Path, default=Path("serve_config.yaml"))
    load.add_argument("--unit", nargs="+", choices=(*ALL, "all"), default=["all"])
    load.add_argument("--rates", nargs="+", type=_positive, help="a second; clips and chunks")
    load.add_argument("--concurrency", nargs="+", type=_positive, help="frames, live and callers")
    load.add_argument("--chunk-frames", nargs="+", type=int, choices=range(1, 26), default=[1, 5])
    load.add_argument("--seconds", type=_positive, default=30.0, help="of arrivals, a level")
    load.add_argument("--arrivals", choices=("poisson", "fixed"), default="poisson")
    load.add_argument("--seed", type=int, default=0)
    load.add_argument("--deadline", type=_positive, default=60.0, help="s until an answer is lost")
    load.add_argument("--search", action="store_true", help="most live streams, most chunks/s")
    load.add_argument("--most-streams", type=int, default=64, help="bound of the search")
    load.add_argument("--most-rate", type=_positive, default=400.0, help="bound of the search")
    load.add_argument("--budget-ms", type=_positive, default=250.0, help="P95 of chunks")
    load.add_argument("--portrait", type=Path, help="default: the demo's")
    load.add_argument("--audio", type=Path, help="default: the demo's")
    load.add_argument("--size", type=int, default=512)
    load.add_argument("--price", type=float, help="of the machine an hour, in any currency")
    load.add_argument("--gpu-price", type=float, help="of one GPU an hour, on top of --price")
    load.add_argument("--gpus", type=int, help="how many; default: as the server's metrics say")
    load.add_argument("--export", type=float, default=12.0, help="s until /metrics is up to date")
    load.add_argument("--json", type=Path, default=Path("out/load.json"))
    load.add_argument("--plot", type=Path, default=Path("out/load.png"))
    load.add_argument("--compare", type=Path, metavar="OLD.json", help="an earlier run")


def run_load(args: argparse.Namespace) -> int:
    """Put load on a server; exit status 1 if it does not answer what was asked for."""
    plan, console = plan_of(args), Console()
    price = Price(args.price, args.gpu_price, args.gpus)
    old = load_report.read_json(args.compare) if args.compare else None
    portrait, audio = media(args.portrait, demo_portrait), media(args.audio, demo_speech)
    with target_of(args.url, args.config) as target:
        run = measure(plan, target, args.key, portrait, audio, price, console)
    content = load_report.document(plan, price, run, target.url)
    show(content, run, old, args, console)
    return 1 if run.unanswered or not run.levels else 0


def plan_of(args: argparse.Namespace) -> LoadPlan:
    """Return what the options ask for."""
    units = [unit for unit in ALL if unit in args.unit or "all" in args.unit]
    levels = [
        Level(unit, load, frames)
        for unit in units
        for frames in (args.chunk_frames if unit in CHUNKS else [0])
        for load in (args.rates if unit in RATES else args.concurrency) or LOADS[unit]
    ]
    if any(not level.is_open and level.load != int(level.load) for level in levels):
        raise BadRequest("Sessions come whole.", "Give --concurrency whole numbers.")
    return LoadPlan(
        levels=levels,
        seconds=args.seconds,
        deadline_s=args.deadline,
        seed=args.seed,
        pattern=args.arrivals,
        size=args.size,
        search=tuple(units) if args.search else (),
        most_streams=args.most_streams,
        most_per_s=args.most_rate,
        budget_s=args.budget_ms / 1000,
        chunk_frames=tuple(args.chunk_frames),
        export_s=args.export,
    )


def measure(
    plan: LoadPlan,
    target: Target,
    key: str,
    portrait: bytes,
    audio: bytes,
    price: Price,
    console: Console,
) -> LoadRun:
    """Return what a server showed under load, and say meanwhile what is done."""
    columns = (TextColumn("Load: {task.description}"), BarColumn(), MofNCompleteColumn())

    async def run(tell: Tell) -> LoadRun:
        async with client_of(target.url, key, plan.deadline_s + plan.seconds) as client:
            runner = LoadRunner(client, plan, portrait, audio, price, target.processes, tell)
            return await runner.all()

    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        task = progress.add_task("starting", total=None if plan.search else len(plan.levels))
        return asyncio.run(
            run(lambda what, done: progress.update(task, description=what, completed=done))
        )


def client_of(url: str, key: str, timeout_s: float) -> httpx.AsyncClient:
    """Return a client that opens as many connections as the load needs."""
    return httpx.AsyncClient(
        base_url=url,
        headers={"authorization": f"Bearer {key}"} if key else {},
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=100),
        timeout=timeout_s,
        trust_env=False,
    )


def show(
    content: dict[str, Any],
    run: LoadRun,
    old: dict[str, Any] | None,
    args: argparse.Namespace,
    console: Console,
) -> None:
    """Print the tables, and write the JSON file and the plot."""
    if run.levels:
        console.print(*load_report.tables(run))
    for series, most in run.capacity.items():
        console.print(f"The most that held, {series}: {most:g}", highlight=False)
    for series, why in run.unanswered.items():
        console.print(f"The server does not answer {series}: {why}", highlight=False)
    problems = sum((Counter(figures.problems) for figures in run.levels), Counter())
    if problems:
        console.print(f"What went wrong: {dict(problems)}", highlight=False, markup=False)
    if old is not None:
        console.print(load_report.comparison(old, content))
    load_report.write_json(content, args.json)
    console.print(f"All of it: {args.json.resolve()}", soft_wrap=True)
    if not run.levels:
        return
    try:
        load_plot.plot(run.levels, args.plot)
        console.print(f"Drawn: {args.plot.resolve()}", soft_wrap=True)
    except NotReady as error:
        console.print(f"Not drawn. {error}")


def media(file: Path | None, default: Callable[[], bytes]) -> bytes:
    """Return the bytes of a file, or without one the default ones.

    Raises:
        BadRequest: it cannot be read.
    """
    if file is None:
        return default()
    try:
        return file.read_bytes()
    except OSError as error:
        raise BadRequest(f"{file} cannot be read: {error.strerror}.", "Name a file.") from None


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError("more than 0")
    return value
