"""The command `python -m app.runtime`: build, list, verify and time engines ahead of serving."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from app.errors import NotReady, WeightsError
from app.runtime.bench import CONTENDERS, Row, measure, this_machine
from app.runtime.choice import best_engine, cache_folder
from app.runtime.config import RuntimeConfig
from app.runtime.report import bench_table, verdict_table, write_json, write_plot
from app.runtime.subjects import SUBJECTS, Weights
from app.runtime.verdicts import VerdictCache
from app.weights.seeded import seeded
from app.weights.store import WeightStore

OK, FAILED = 0, 1


def parser() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("nets", nargs="*", help=f"which (default: all): {', '.join(SUBJECTS)}")
    shared.add_argument("--cache", type=Path, help="the folder of measurements and kernels")
    shared.add_argument(
        "--weights",
        choices=("published", "seeded"),
        default="seeded",
        help="of published nets; seeded ones are made up (default: %(default)s)",
    )
    root = argparse.ArgumentParser(
        prog="python -m app.runtime",
        description="Build, verify and time the engines that run the nets on this GPU.",
        epilog="Exit codes: 0 done, 1 no GPU, no weights or an engine is not exact, 2 usage.",
    )
    commands = root.add_subparsers(dest="command", required=True, metavar="command")
    commands.add_parser("build", parents=[shared], help="choose engines and fill the cache")
    commands.add_parser("list", parents=[shared], help="show what the cache holds")
    commands.add_parser("verify", parents=[shared], help="measure again, whatever the cache says")
    bench = commands.add_parser("bench", parents=[shared], help="time nets per frame")
    bench.add_argument("--backends", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    bench.add_argument("--json", type=Path, help="write all figures here")
    bench.add_argument("--plot", type=Path, help="write a picture here")
    return root


def progress(console: Console) -> Progress:
    """Return a bar that counts steps and says which one runs."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeElapsedColumn(), console=console, transient=True)


def run_list(config: RuntimeConfig, console: Console) -> int:
    """Print what the cache holds."""
    folder = cache_folder(config)
    cache = VerdictCache(folder)
    for key in cache.names():
        console.print(verdict_table(key, cache.load(key) or []))
    console.print(f"{len(cache.names())} nets measured in {folder}", soft_wrap=True)
    return OK


def run_build(
    names: Sequence[str], weights: Weights, config: RuntimeConfig, console: Console, again: bool
) -> int:
    """Choose the engine of every net; with `again`, measure what the cache already knows."""
    if again:
        for path in cache_folder(config).glob("*.json"):
            if path.name.rpartition("-")[0] in names:
                path.unlink()
    failed = False
    with progress(console) as bar:
        task = bar.add_task("", total=len(names))
        for name in names:
            bar.update(task, description=name)
            start = time.perf_counter()
            chosen = best_engine(name, SUBJECTS[name].make(weights).eval(), "cuda", config)
            taken = time.perf_counter() - start
            source = "from the cache" if chosen.from_cache else "measured"
            console.print(verdict_table(name, chosen.verdicts))
            console.print(f"{name}: {chosen.engine.backend}, {source}, ready in {taken:.1f} s")
            exact = [v for v in chosen.verdicts if v.backend != "eager" and "noise" in v.why]
            failed = failed or (again and bool(exact))
            bar.advance(task)
    return FAILED if failed else OK


def run_bench(arguments: argparse.Namespace, names: Sequence[str], weights: Weights) -> int:
    """Time nets and print, write and plot the table."""
    console = Console()
    rows: list[Row] = []
    machine = this_machine()
    steps = sum(len(SUBJECTS[name].targets) for name in names) * len(arguments.backends)
    with progress(console) as bar:
        task = bar.add_task("", total=steps)
        told = lambda step: bar.update(task, description=step)  # noqa: E731
        for row in measure(names, arguments.backends, weights, told):
            rows.append(row)
            if arguments.json:
                write_json(arguments.json, rows, machine)
            bar.advance(task)
    console.print(bench_table(rows, machine))
    for row in rows:
        if row.error:
            console.print(f"{row.net}, batch {row.batch}, {row.contender}: {row.error}")
    if arguments.plot:
        write_plot(arguments.plot, rows, machine)
    return OK


def main(words: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    arguments = parser().parse_args(words)
    errors = Console(stderr=True)
    unknown = [name for name in arguments.nets if name not in SUBJECTS]
    if unknown:
        errors.print(f"No such net: {', '.join(unknown)}. There are: {', '.join(SUBJECTS)}.")
        return 2
    names = arguments.nets or list(SUBJECTS)
    config = RuntimeConfig(cache=arguments.cache)
    weights: Weights = seeded if arguments.weights == "seeded" else WeightStore().checkpoint
    if arguments.command == "list":
        return run_list(config, Console())
    if not torch.cuda.is_available():
        errors.print("This process sees no GPU; on a CPU nets run eagerly, and need no engines.")
        return FAILED
    try:
        if arguments.command == "bench":
            return run_bench(arguments, names, weights)
        again = arguments.command == "verify"
        return run_build(names, weights, config, Console(), again)
    except (NotReady, WeightsError) as error:
        errors.print(f"{error.detail} {error.hint}", soft_wrap=True)
        return FAILED


if __name__ == "__main__":
    sys.exit(main())
