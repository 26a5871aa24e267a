"""`python -m app.bench overload`: its options, and what it prints and writes."""

import argparse
import asyncio
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from app.bench.load_command import Target, client_of, media, target_of
from app.bench.overload import GIVEN_UP_S, KINDS, Overload, OverloadPlan, Visit, overload
from app.demo.run import demo_portrait, demo_speech


def add_overload(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command's options."""
    plan = OverloadPlan()
    more = commands.add_parser("overload", help="twice of what a server can make")
    more.add_argument("--url", default="", help="of a server; without one, its own of --config")
    more.add_argument("--key", default="", help="API key")
    more.add_argument("--config", type=Path, default=Path("serve_config.yaml"))
    more.add_argument("--times", type=float, default=plan.times, help="default: %(default)s")
    more.add_argument("--seconds", type=float, default=plan.seconds, help="default: %(default)s")
    more.add_argument("--size", type=int, default=plan.size)
    more.add_argument("--seed", type=int, default=plan.seed)
    more.add_argument("--json", type=Path, default=Path("out/overload.json"))


def run_overload(args: argparse.Namespace) -> int:
    """Ask for too much; exit status 1 if the server does not keep what it promises."""
    plan = OverloadPlan(args.times, args.seconds, size=args.size, seed=args.seed)
    console = Console()
    with target_of(args.url, args.config) as target:
        found = asyncio.run(_measured(target, args.key, plan, console))
    console.print(_users(found), _waits(found))
    for line in _lines(found, plan):
        console.print(line, highlight=False)
    verdict = found.verdict()
    for name, holds in verdict.items():
        console.print(f"{'yes' if holds else 'NO '}  {name}", highlight=False)
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps({"plan": asdict(plan), "verdict": verdict} | asdict(found)))
    console.print(f"All of it: {args.json.resolve()}", soft_wrap=True)
    return 0 if all(verdict.values()) else 1


async def _measured(target: Target, key: str, plan: OverloadPlan, console: Console) -> Overload:
    photo, speech = media(None, demo_portrait), media(None, demo_speech)
    async with client_of(target.url, key, plan.seconds + GIVEN_UP_S) as client:
        return await overload(
            client,
            plan,
            photo,
            speech,
            target.processes,
            lambda what: console.print(f"Overload: {what}", highlight=False),
        )


def _users(found: Overload) -> Table:
    table = Table(
        title="Users",
        caption="first: P95 seconds to the first frames of those who got in, from their last try",
        box=SIMPLE,
    )
    names = ("came", "in at once", "in later", "turned away", "lost", "late frames", "first")
    for name in ("video", *names):
        table.add_column(name, justify="left" if name == "video" else "right")
    for kind in KINDS:
        visits = [visit for visit in found.visits if visit.kind == kind]
        inside = found.of(kind, "ok")
        at_once = sum(len(visit.tries) == 1 for visit in inside)
        lost = sum(visit.kind == kind for visit in found.lost)
        late = sum(visit.last.late_frames for visit in inside) if kind == "live" else "-"
        away = len(found.of(kind, "refused"))
        numbers = (len(visits), at_once, len(inside) - at_once, away, lost, late)
        table.add_row(kind, *map(str, numbers), _p95(inside))
    return table


def _p95(visits: list[Visit]) -> str:
    first_s = [visit.last.first_s for visit in visits if visit.last.first_s is not None]
    return f"{np.percentile(first_s, 95):.2f}" if first_s else "-"


def _waits(found: Overload) -> Table:
    table = Table(title="The models meanwhile, by the server's metrics", box=SIMPLE)
    names = ("busy", "calls a run", "run mean ms", "run P95 ms", "wait P95 ms", "of live", "runs")
    for name in ("model", *names):
        table.add_column(name, justify="left" if name == "model" else "right")
    for model, figures in found.server.models.items():
        times_s = (figures.run_mean_s, figures.run_p95_s, figures.wait_p95_s)
        table.add_row(
            model,
            _number(figures.busy, 1),
            _number(figures.calls_per_run, 1),
            *(_number(s, 1000) for s in (*times_s, figures.live_wait_p95_s)),
            _number(found.runs_waited(model), 1),
        )
    return table


def _number(value: float | None, scale: float) -> str:
    if value is None:
        return "-"
    return f"{scale * value:.0f}" if scale > 1 else f"{value:.2f}"


def _lines(found: Overload, plan: OverloadPlan) -> list[str]:
    again, inside = found.returns()
    return [
        f"The server makes {found.capacity_fps:.1f} frames a second; "
        f"{plan.times * found.capacity_fps:.1f} were asked for, half of them live.",
        f"Clips meanwhile: {found.clip_fps:.1f} frames a second.",
        f"Came back when Retry-After said: {again} times, and got in {inside} times.",
        f"A newcomer's live stream is on time {_seconds(found.newcomer_s)} after the last arrival, "
        f"as soon as at rest {_seconds(found.recovered_s)} after the last answer.",
    ]


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f} s"
