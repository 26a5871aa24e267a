"""`python -m app.bench engines`: its options, and where its results go."""

import argparse
from pathlib import Path

from rich.console import Console

from app.bench.load_command import media
from app.demo.run import demo_portrait


def add_engines(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command's options."""
    engines = commands.add_parser("engines", help="frames a second of the published models alone")
    engines.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    engines.add_argument("--call-frames", nargs="+", type=int, choices=(1, 2, 4, 8), default=[8, 1])
    engines.add_argument("--seconds", type=float, default=2.0, help="each is repeated for")
    engines.add_argument("--portrait", type=Path, help="default: the demo's")
    engines.add_argument("--json", type=Path, default=Path("out/engines.json"))


def run_engines(args: argparse.Namespace) -> int:
    """Time the models by themselves."""
    from app.bench.engines import measure_engines, table, write_json  # imports torch and the nets

    console = Console()
    with console.status("Models: loaded, then timed"):
        portrait = media(args.portrait, demo_portrait)
        timings = measure_engines(args.device, portrait, args.call_frames, args.seconds)
    console.print(table(timings))
    write_json(timings, args.json)
    console.print(f"All of it: {args.json.resolve()}", soft_wrap=True)
    return 0
