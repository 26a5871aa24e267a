"""The command `python -m app.runtime`: build, list, verify and time engines ahead of serving."""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from torch import Tensor

from app.errors import AppError
from app.runtime.bench import CONTENDERS, Contender, Row, measure, this_machine
from app.runtime.bench_cpu import measure_on_cpu
from app.runtime.choice import Chosen, best_engine, cache_folder, decided
from app.runtime.config import Backend, RuntimeConfig
from app.runtime.makers import offered, there
from app.runtime.nets import NETS, Weights
from app.runtime.order import CPU_FRAMES, Order
from app.runtime.report import bench_table, cpu_table, verdict_table, write_json, write_plot
from app.runtime.verdicts import VerdictCache
from app.weights.seeded import seeded
from app.weights.store import WeightStore

OK, FAILED, USAGE = 0, 1, 2

SAMPLES = 16
"""Made-up frames that made-up nets are calibrated on."""
TIMED = tuple(name for name, spec in NETS.items() if spec.targets)


def parser() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("nets", nargs="*", help=f"which (default: all): {', '.join(TIMED)}")
    shared.add_argument("--cache", type=Path, help="the folder of engines and measurements")
    shared.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    shared.add_argument("--portrait", type=Path, help="judge by this photo (default: the demo's)")
    shared.add_argument("--audio", type=Path, help="and this recording")
    shared.add_argument(
        "--weights",
        choices=("published", "seeded"),
        default="seeded",
        help="of published nets; seeded ones are made up (default: %(default)s)",
    )
    root = argparse.ArgumentParser(
        prog="python -m app.runtime",
        description="Build, verify and time the engines that run the nets here.",
        epilog="Exit codes: 0 done, 1 no GPU, no weights or an engine is not exact, 2 usage.",
    )
    commands = root.add_subparsers(dest="command", required=True, metavar="command")
    for command, what in (
        ("build", "choose engines and fill the cache"),
        ("verify", "measure again, whatever the cache says"),
    ):
        one = commands.add_parser(command, parents=[shared], help=what)
        one.add_argument(
            "--backends",
            nargs="+",
            choices=get_args(Backend),
            default=["auto"],
            help="insist on each of these (default: try all)",
        )
    commands.add_parser("list", parents=[shared], help="show what the cache holds")
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
        console.print(verdict_table(key, decided(cache.load(key) or [])))
    console.print(f"{len(cache.names())} nets measured in {folder}", soft_wrap=True)
    return OK


def orders(
    arguments: argparse.Namespace, names: Sequence[str], weights: Weights
) -> Iterator[Order]:
    """Yield what engines are to be made for, net by net, each with real frames where it can be.

    Raises:
        AppError: the weights, or a file that was asked for, cannot be had.
    """
    config = RuntimeConfig(cache=arguments.cache)
    for name in names:
        spec = NETS[name]
        frames = _frames(arguments, name, weights)
        yield Order(spec, spec.net(weights), arguments.device, config, frames)


def _frames(
    arguments: argparse.Namespace, name: str, weights: Weights
) -> tuple[Tensor, ...] | None:
    """Return real frames of a net's inputs: of the files given, or for 8 bits of the demo's."""
    given = [path.read_bytes() if path else None for path in (arguments.portrait, arguments.audio)]
    on_cpu = arguments.device == "cpu"
    narrow = {"int8", "fp8"} & set(offered(NETS[name], arguments.device))
    if not there("openvino" if on_cpu else "modelopt"):
        narrow.discard("int8")
    if "auto" not in arguments.backends:
        narrow &= set(arguments.backends)
    if not (narrow or any(given)):
        return None
    if arguments.weights == "seeded" and not (on_cpu or any(given)):
        return NETS[name].samples(SAMPLES)  # what made-up nets say of real frames is noise too
    from app.footage import FILMED, footage

    if name not in FILMED:
        return None
    try:
        return footage(name, weights, *given)
    except AppError:
        # The demo's photo and the face nets may be absent; made-up frames do for the rest.
        if any(given) or arguments.device == "cpu":
            raise
        return None


def run_build(arguments: argparse.Namespace, names: Sequence[str], weights: Weights) -> int:
    """Choose the engine of every net; `verify` measures what the cache already knows."""
    console, again = Console(), arguments.command == "verify"
    config = RuntimeConfig(cache=arguments.cache)
    if again:
        for path in cache_folder(config).glob("*.json"):
            if path.name.rpartition("-")[0] in names:
                path.unlink()
    failed = False
    with progress(console) as bar:
        task = bar.add_task("", total=len(names) * len(arguments.backends))
        for order in orders(arguments, names, weights):
            for backend in arguments.backends:
                bar.update(task, description=order.spec.name)
                wanted = config.model_copy(update={"backend": backend})
                verdicts = _chosen(order, wanted, console).verdicts
                failed = failed or (again and any("noise" in v.why for v in verdicts))
                bar.advance(task)
    return FAILED if failed else OK


def _chosen(order: Order, config: RuntimeConfig, console: Console) -> Chosen:
    """Choose the engine of a net, and print how."""
    name, start = order.spec.name, time.perf_counter()
    chunk_frames = CPU_FRAMES if order.on_cpu else None
    chosen = best_engine(name, order.net, order.device, config, chunk_frames, order.frames)
    taken = time.perf_counter() - start
    source = "from the cache" if chosen.from_cache else "measured"
    frames = "made-up frames" if order.frames is None else "real frames"
    console.print(verdict_table(name, chosen.verdicts))
    console.print(
        f"{name}: {chosen.engine.backend} ({chosen.engine.precision}), {source} on {frames}, "
        f"ready in {taken:.1f} s",
        soft_wrap=True,
    )
    return chosen


def run_bench(arguments: argparse.Namespace, names: Sequence[str], weights: Weights) -> int:
    """Time nets and print, write and plot the table."""
    console, on_cpu = Console(), arguments.device == "cpu"
    rows: list[Row] = []
    machine = this_machine(arguments.device)
    contenders: list[Contender] = arguments.backends
    with progress(console) as bar:
        task = bar.add_task("", total=None)
        told = lambda step: bar.update(task, description=step)  # noqa: E731
        timed = measure_on_cpu if on_cpu else measure
        for row in timed(list(orders(arguments, names, weights)), contenders, told):
            rows.append(row)
            if arguments.json:
                write_json(arguments.json, rows, machine)
            bar.advance(task)
    console.print((cpu_table if on_cpu else bench_table)(rows, machine))
    for error in dict.fromkeys(f"{r.net}, {r.contender}: {r.error}" for r in rows if r.error):
        console.print(error)
    if arguments.plot:
        write_plot(arguments.plot, rows, machine)
    return OK


def main(words: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    arguments = parser().parse_args(words)
    errors = Console(stderr=True)
    unknown = [name for name in arguments.nets if name not in TIMED]
    if unknown:
        errors.print(f"No such net: {', '.join(unknown)}. There are: {', '.join(TIMED)}.")
        return USAGE
    names = arguments.nets or [
        name for name in TIMED if arguments.device == "cuda" or offered(NETS[name], "cpu")
    ]
    weights: Weights = seeded if arguments.weights == "seeded" else WeightStore().checkpoint
    if arguments.command == "list":
        return run_list(RuntimeConfig(cache=arguments.cache), Console())
    if arguments.device == "cuda" and not torch.cuda.is_available():
        errors.print("This process sees no GPU. For this CPU, pass --device cpu.")
        return FAILED
    try:
        run = run_bench if arguments.command == "bench" else run_build
        return run(arguments, names, weights)
    except AppError as error:
        errors.print(f"{error.detail} {error.hint}", soft_wrap=True)
        return FAILED


if __name__ == "__main__":
    sys.exit(main())
