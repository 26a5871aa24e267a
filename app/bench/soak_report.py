"""Shows what a soak found: tables, a JSON file and a plot."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.box import SIMPLE
from rich.table import Table

from app.bench.figure import new_figure
from app.bench.soak import Soak
from app.bench.soak_requests import Kind
from app.bench.soak_samples import (
    ALL,
    EARLY,
    LATE,
    MB,
    REPLICAS,
    STORE,
    Growth,
    Usage,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TELLING = (*REPLICAS, "proxy", "haproxy", "controller", "raylet", "gcs", "dashboard agent")
"""Roles that a colour of the plot is kept for; all others are grey."""


def tables(soak: Soak) -> list[Table]:
    """Return the growth of every process, and the answers."""
    return [_growths(soak.growths), _answers(soak)]


def _growths(growths: Sequence[Growth]) -> Table:
    asked = "Medians of the second and the last quarter; memory in MB, anonymous"
    shown = Table(title="Growth", caption=asked, box=SIMPLE, padding=(0, 1, 0, 0))
    shown.add_column("process")
    for name in ("start", "end", "growth", "descriptors", "threads"):
        shown.add_column(name, justify="right")
    shown.add_column("met")
    processes = dict.fromkeys(growth.process for growth in growths if growth.process != STORE)
    for process in sorted(processes, key=_rank):
        mine = {growth.quantity: growth for growth in growths if growth.process == process}
        memory = mine["memory"]
        counts = (mine.get("descriptors"), mine.get("threads"))
        shown.add_row(process, *_megabytes(memory), *map(_count, counts), _met(mine.values()))
    for growth in growths:
        if growth.process == STORE:
            shown.add_row(growth.quantity, *_megabytes(growth), "", "", _met([growth]))
    return shown


def _rank(process: str) -> tuple[int, str]:
    """Order the telling roles first, and the sum last."""
    if process == ALL:
        return len(TELLING) + 1, process
    return TELLING.index(process) if process in TELLING else len(TELLING), process


def _megabytes(growth: Growth) -> tuple[str, str, str]:
    start, end, more = (value / MB for value in (growth.start, growth.end, growth.more))
    return f"{start:.1f}", f"{end:.1f}", f"{more:+.1f}"


def _count(growth: Growth | None) -> str:
    return f"{growth.start:g} {growth.more:+g}" if growth else ""


def _met(growths: Iterable[Growth]) -> str:
    missed = [growth.quantity for growth in growths if not growth.met]
    return "NO: " + ", ".join(missed) if missed else "yes"


def _answers(soak: Soak) -> Table:
    shown = Table(title=f"Requests, seed {soak.seed}", box=SIMPLE, padding=(0, 1, 0, 0))
    shown.add_column("kind")
    shown.add_column("made", justify="right")
    shown.add_column("answered wrongly", justify="right")
    for kind in Kind:
        shown.add_row(kind, str(soak.tally.asked[kind]), str(soak.tally.wrong[kind]))
    return shown


def write_json(soak: Soak, file: Path) -> None:
    """Write verdict, answers and every sample where other programs can read them."""
    file.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "met": soak.met,
        "seed": soak.seed,
        "seconds": soak.seconds,
        "most_per_s": soak.most_per_s,
        "cpu_cores": soak.cpu_cores,
        "idle_after_s": soak.idle_after_s,
        "asked": soak.tally.asked,
        "wrong": soak.tally.wrong,
        "complaints": soak.tally.complaints,
        "warnings": soak.warnings,
        "growths": [asdict(growth) | {"met": growth.met} for growth in soak.growths],
        "samples": [asdict(sample) for sample in soak.samples],
    }
    file.write_text(json.dumps(document, indent=1))


def plot(soak: Soak, file: Path) -> None:
    """Draw memory, descriptors and threads of every process, and the object store, over time.

    Raises:
        NotReady: matplotlib is not installed.
    """
    figure = new_figure(14, 9)
    panels = figure.subplots(2, 2, sharex=True)
    memory, descriptors, threads, store = panels.flat
    _lines(memory, soak, "memory, MB", lambda usage: usage.memory_bytes / MB)
    _lines(descriptors, soak, "descriptors", lambda usage: usage.descriptors)
    _lines(threads, soak, "threads", lambda usage: usage.threads)
    _store(store, soak)
    for axes in panels.flat:
        _mark(axes, soak.seconds)
    for axes in panels[1]:
        axes.set_xlabel("minutes")
    handles, labels = memory.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper")
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=110)


def _lines(axes: "Axes", soak: Soak, quantity: str, value: Callable[[Usage], float]) -> None:
    """Draw a line per role; a role that is not there leaves a gap."""
    roles = dict.fromkeys(role for sample in soak.samples for role in sample.usages)
    minutes = [sample.at_s / 60 for sample in soak.samples]
    has_label = False
    for role in sorted(roles, key=_rank):
        values = [
            value(sample.usages[role]) if role in sample.usages else float("nan")
            for sample in soak.samples
        ]
        if role in TELLING:
            axes.plot(minutes, values, color=f"C{TELLING.index(role)}", label=role)
        else:
            label = None if has_label else "others of Ray's"
            axes.plot(minutes, values, color="0.6", linewidth=0.7, label=label)
            has_label = True
    axes.set_ylabel(quantity)
    axes.set_ylim(bottom=0)


def _store(axes: "Axes", soak: Soak) -> None:
    minutes = [sample.at_s / 60 for sample in soak.samples]
    used = [
        float("nan") if sample.store_bytes is None else sample.store_bytes / MB
        for sample in soak.samples
    ]
    pages = [sample.total().store_bytes / MB for sample in soak.samples]
    axes.plot(minutes, used, color="black", label="used")
    axes.plot(minutes, pages, color="0.6", linestyle="--", label="pages it ever touched")
    axes.set_ylabel("object store, MB")
    axes.set_ylim(bottom=0)
    axes.legend(loc="lower center")


def _mark(axes: "Axes", seconds: float) -> None:
    """Shade the quarters that are compared, and mark the end of the load."""
    for part in (EARLY, LATE):
        axes.axvspan(part[0] * seconds / 60, part[1] * seconds / 60, color="C0", alpha=0.08)
    axes.axvline(seconds / 60, color="0.3", linewidth=0.8, linestyle=":")
    axes.grid(alpha=0.3)
