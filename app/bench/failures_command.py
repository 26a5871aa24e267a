"""`python -m app.bench failures`: its options, and what it prints and writes."""

import argparse
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from app.bench.failures import MOST_SESSIONS, VICTIMS, Failure, measure_failures


def add_failures(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command's options."""
    failures = commands.add_parser("failures", help="processes killed while sessions run")
    failures.add_argument("--kill", nargs="+", choices=VICTIMS, default=list(VICTIMS))
    failures.add_argument(
        "--sessions", type=int, default=6, choices=range(1, MOST_SESSIONS + 1), metavar="N"
    )
    failures.add_argument("--seconds", type=float, default=10.0, help="of speech in each")
    failures.add_argument("--config", type=Path, default=Path("serve_config.yaml"))
    failures.add_argument("--json", type=Path, default=Path("out/failures.json"))


def run_failures(args: argparse.Namespace) -> int:
    """Kill processes; exit status 1 if a frame was wrong, an error unclean, or one stays away."""
    console = Console()
    found = measure_failures(
        args.config,
        args.kill,
        args.sessions,
        args.seconds,
        lambda what: console.print(f"Failures: {what}", highlight=False),
    )
    console.print(_table(found))
    for failure in found:
        told = Counter(each.told for each in (*failure.sessions, *failure.probes) if each.told)
        missed = [name for name, holds in failure.verdict().items() if not holds]
        shown = f"{failure.victim}: told {dict(told)}" + (f"; NOT {missed}" if missed else "")
        console.print(shown, highlight=False, markup=False)
    args.json.parent.mkdir(parents=True, exist_ok=True)
    content = [asdict(failure) | {"verdict": failure.verdict()} for failure in found]
    args.json.write_text(json.dumps(content, indent=1))
    console.print(f"All of it: {args.json.resolve()}", soft_wrap=True)
    return 0 if all(all(failure.verdict().values()) for failure in found) else 1


def _table(found: list[Failure]) -> Table:
    table = Table(
        title="Processes killed while sessions run",
        caption="After it: short requests until all replicas are back. Worst: PSNR of the frame "
        "that is least like the same made alone",
        box=SIMPLE,
    )
    names = ("went on", "cut", "refused", "after it", "answered", "frames", "worst dB", "back s")
    for name in ("killed", *names):
        table.add_column(name, justify="left" if name == "killed" else "right")
    for failure in found:
        frames = sum(each.frames for each in (*failure.sessions, *failure.probes))
        table.add_row(
            failure.victim,
            *(str(failure.ended(end)) for end in ("whole", "cut", "refused")),
            str(len(failure.probes)),
            str(sum(probe.end == "whole" for probe in failure.probes)),
            str(frames),
            f"{failure.worst_db:.1f}",
            "never" if failure.back_s is None else f"{failure.back_s:.1f}",
        )
    return table
