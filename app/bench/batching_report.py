"""Shows what the comparison of batchers found: a table, a JSON file and a plot."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.box import SIMPLE
from rich.table import Table

from app.bench.batching import TOLERANCE, Plan, Run, Verdict
from app.bench.batching_load import MEANING, Figures
from app.bench.figure import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def tables(verdicts: Sequence[Verdict]) -> list[Table]:
    """Return a table per engine, with a row per load and batcher; 80 columns hold it."""
    return [
        _table(shape, [verdict for verdict in verdicts if verdict.shape == shape])
        for shape in dict.fromkeys(verdict.shape for verdict in verdicts)
    ]


def _table(shape: str, verdicts: Sequence[Verdict]) -> Table:
    asked = f"P95 and fill are asked within {TOLERANCE:.0%} of slot-first's"
    shown = Table(title=f"Engine: {shape}", caption=f"Medians; {asked}", box=SIMPLE, padding=0)
    shown.add_column("load")
    shown.add_column("batcher")
    for name in ("fill", "P50 ms", "P95 ms", "per s", "lost", "P95 x", "fill x"):
        shown.add_column(name, justify="right")
    shown.add_column("close")
    load = 0.0
    for verdict in verdicts:
        figures = verdict.figures
        shown.add_row(
            f"{verdict.rate:g}" if verdict.rate != load else "",
            verdict.batcher,
            f"{figures.fill:.2f}",
            f"{1000 * figures.p50_s:.0f}",
            f"{1000 * figures.p95_s:.0f}",
            f"{figures.per_s:.1f}",
            f"{figures.unanswered}",
            f"{verdict.p95_ratio:.2f}",
            f"{verdict.fill_ratio:.2f}",
            "yes" if verdict.close else "NO",
        )
        load = verdict.rate
    return shown


def write_json(plan: Plan, runs: Sequence[Run], verdicts: Sequence[Verdict], file: Path) -> None:
    """Write plan, verdicts and every run where other programs can read them."""
    file.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "batchers": MEANING,
        "plan": asdict(plan),
        "verdicts": [asdict(verdict) | {"close": verdict.close} for verdict in verdicts],
        "runs": [asdict(run) for run in runs],
    }
    file.write_text(json.dumps(document, indent=2))


def plot(verdicts: Sequence[Verdict], file: Path) -> None:
    """Draw P95 latency, fill and throughput over the rate of arrivals, a column per engine.

    Raises:
        NotReady: matplotlib is not installed.
    """
    shapes = list(dict.fromkeys(verdict.shape for verdict in verdicts))
    figure = new_figure(4 * len(shapes), 8)
    axes = figure.subplots(3, len(shapes), sharex=True, squeeze=False)
    for column, shape in enumerate(shapes):
        mine = [verdict for verdict in verdicts if verdict.shape == shape]
        axes[0, column].set_title(f"engine: {shape}")
        axes[0, column].set_yscale("log")
        axes[0, column].set_ylim(0.04, 10)
        for row, quantity in enumerate(("P95 latency, s", "calls a run", "answers per second")):
            _lines(axes[row, column], mine, quantity)
        axes[2, column].set_xlabel("arrivals, 1 = what full runs can answer")
    axes[0, 0].legend()
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=110)


def _lines(axes: "Axes", verdicts: Sequence[Verdict], quantity: str) -> None:
    """Draw one quantity of every batcher; thin and dashed over thick, where they coincide."""
    for index, name in enumerate(MEANING):
        mine = [verdict for verdict in verdicts if verdict.batcher == name]
        rates = [verdict.rate for verdict in mine]
        values = [_value(verdict.figures, quantity) for verdict in mine]
        style = ("-", "--", "-", ":")[index]
        width = (1.5, 2.0, 5.0, 3.0)[index]
        order = 1 if name == "slot-first" else 2
        axes.plot(rates, values, style, linewidth=width, label=name, zorder=order, marker=".")
    axes.set_ylabel(quantity)
    axes.grid(alpha=0.3)


def _value(figures: Figures, quantity: str) -> float:
    match quantity:
        case "P95 latency, s":
            return figures.p95_s
        case "calls a run":
            return figures.fill
    return figures.per_s
