"""Draws a load run: latency against load, and throughput against concurrency."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app.bench.figure import new_figure
from app.bench.load_figures import LevelFigures
from app.bench.load_report import HEADLINES, LOADS

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot(levels: Sequence[LevelFigures], file: Path) -> None:
    """Write a PNG with a column per series.

    Raises:
        NotReady: matplotlib is not installed.
    """
    series = list(dict.fromkeys(figures.level.series for figures in levels))
    figure = new_figure(max(4, 3.2 * len(series)), 6.5)
    axes = figure.subplots(2, len(series), squeeze=False)
    for column, name in enumerate(series):
        mine = [figures for figures in levels if figures.level.series == name]
        axes[0, column].set_title(name)
        _latency(axes[0, column], sorted(mine, key=lambda each: each.level.load))
        _throughput(axes[1, column], sorted(mine, key=lambda each: each.open_mean))
    axes[0, 0].set_ylabel("latency, s")
    axes[0, 0].legend()
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=110)


def _latency(axes: "Axes", levels: Sequence[LevelFigures]) -> None:
    """Draw percentiles over load; a level that lost requests is crossed."""
    loads = [figures.level.load for figures in levels]
    for name, style in (("p50_s", "-"), ("p95_s", "--"), ("p99_s", ":")):
        values = [getattr(figures.latency, name) or float("nan") for figures in levels]
        axes.plot(loads, values, style, marker=".", label=name[:3].upper())
    lossy = [
        (figures.level.load, figures.latency.p99_s)
        for figures in levels
        if figures.refused + figures.failed + figures.unsent and figures.latency.p99_s is not None
    ]
    if lossy:
        axes.plot(*zip(*lossy, strict=True), "x", color="red", label="refused or failed")
    axes.set_xlabel(LOADS[levels[0].level.unit])
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)


def _throughput(axes: "Axes", levels: Sequence[LevelFigures]) -> None:
    unit = levels[0].level.unit
    values = [figures.headline for figures in levels]
    axes.plot([figures.open_mean for figures in levels], values, "-", marker=".")
    axes.set_xlabel("requests under way, mean")
    axes.set_ylabel("streams on time" if unit == "live" else HEADLINES[unit])
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
