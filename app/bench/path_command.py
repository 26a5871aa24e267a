"""`python -m app.bench path`: its options, its progress, and where its results go."""

import argparse
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from app.bench import load_report, path
from app.bench.cost import Price
from app.bench.load_command import media
from app.bench.load_run import LoadPlan
from app.client.server import HAPROXY
from app.demo.run import demo_portrait


def add_path(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command's options."""
    data = commands.add_parser("path", help="frames a second when models do nothing")
    data.add_argument("--sessions", nargs="+", type=int, default=[1, 2, 4, 8])
    data.add_argument("--seconds", type=float, default=20.0, help="each level takes")
    data.add_argument("--size", type=int, default=512)
    data.add_argument("--engine-fps", type=float, help="of the engines, printed beside")
    data.add_argument("--mode", choices=("proxy", "haproxy"), default="proxy")
    data.add_argument("--export", type=float, default=12.0, help="s until /metrics is up to date")
    data.add_argument("--config", type=Path, default=Path("serve_config.yaml"))
    data.add_argument("--portrait", type=Path, help="default: the demo's")
    data.add_argument("--json", type=Path, default=Path("out/path.json"))


def run_path(args: argparse.Namespace) -> int:
    """Measure the data path; exit status 1 if frames were lost."""
    plan = path.PathPlan(
        *(args.config, args.sessions, args.seconds, args.size, args.export),
        portrait=media(args.portrait, demo_portrait),
    )
    console = Console()
    columns = (TextColumn("Data path: {task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        task = progress.add_task("starting the server", total=len(plan.sessions))
        run = path.measure_path(
            plan,
            lambda what, done: progress.update(task, description=what, completed=done),
            HAPROXY if args.mode == "haproxy" else {},
        )
    for series, why in run.unanswered.items():
        console.print(f"The server does not answer {series}: {why}", highlight=False)
    if run.levels:
        console.print(*path.tables(run, args.engine_fps))
    shown = LoadPlan([figures.level for figures in run.levels], plan.seconds, size=plan.size)
    load_report.write_json(load_report.document(shown, Price(), run, path.BUILDER), args.json)
    console.print(f"All of it: {args.json.resolve()}", soft_wrap=True)
    lost = sum(figures.failed for figures in run.levels)
    return 1 if lost or run.unanswered else 0
