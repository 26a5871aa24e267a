"""Shows what a load run found: tables, and a JSON file that a later run can be compared with."""

import json
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from app.bench.chapter import CHAPTER
from app.bench.cost import Price
from app.bench.load_figures import UNITS, LevelFigures, Unit
from app.bench.load_run import LoadPlan, LoadRun
from app.errors import BadRequest

FORMAT = 1
ABSENT = "-"

HEADLINES: dict[Unit, str] = {
    "frames": "frames/s",
    "live": "on time",
    "clips": "clips/min",
    "chunks": "chunks/s",
    "callers": "chunks/s",
}
LOADS: dict[Unit, str] = {
    "frames": "sessions",
    "live": "streams",
    "clips": "asked/s",
    "chunks": "asked/s",
    "callers": "callers",
}


def tables(run: LoadRun) -> list[Table]:
    """Return what clients saw, a table per series; what the server did; and the chapter's rows."""
    series = dict.fromkeys(figures.level.series for figures in run.levels)
    shown = [_clients([f for f in run.levels if f.level.series == name]) for name in series]
    return [*shown, _server(run.levels), _chapter(run)]


def _grid(title: str, caption: str, text: Sequence[str], numbers: Iterable[str]) -> Table:
    """Return an empty table; 80 columns must hold it when it is filled."""
    table = Table(title=title, caption=caption, box=SIMPLE, padding=0)
    for name in text:
        table.add_column(name, overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right", overflow="fold")
    return table


def _clients(levels: Sequence[LevelFigures]) -> Table:
    unit = levels[0].level.unit
    numbers = ["sent", "ok", "429", "fail", "P50 s", "P95 s", "P99 s", HEADLINES[unit]]
    numbers += ["late", "1st s", "/1000", "/min"]
    caption = f"{UNITS[unit]}. 1st: P95 of the first frames; /1000, /min of video: what it costs"
    table = _grid(levels[0].level.series, caption, [LOADS[unit]], numbers)
    for figures in sorted(levels, key=lambda each: each.level.load):
        latency, cost = figures.latency, figures.cost
        table.add_row(
            f"{figures.level.load:g}",
            *(f"{count}" for count in (figures.sent, figures.ok, figures.refused)),
            f"{figures.failed + figures.unsent}",
            *(_seconds(value) for value in (latency.p50_s, latency.p95_s, latency.p99_s)),
            _short(figures.headline),
            ABSENT if unit in ("chunks", "callers") else f"{figures.late_frames}",
            _seconds(figures.first.p95_s),
            _short(cost.per_1000),
            _short(cost.per_video_minute),
        )
    return table


def _server(levels: Sequence[LevelFigures]) -> Table:
    numbers = ["CPU s/s", "client", "fill P", "fill L", "wait P", "wait L", "busy P", "busy L"]
    table = _grid(
        "The server meanwhile",
        "P portrait, L lips; fill: calls a run; wait: P95 ms; busy: share of the time; lag: P99 ms "
        "by which the client itself was late",
        ["series", "load"],
        [*numbers, "GPU", "GPU MB", "lag"],
    )
    for figures in levels:
        server, seconds = figures.server, figures.seconds
        models = [server.models.get(role) for role in ("portrait", "lips")]
        memory = server.gpu_memory_bytes
        table.add_row(
            figures.level.series,
            f"{figures.level.load:g}",
            _number(server.cpu_s / seconds if server.cpu_s is not None and seconds else None),
            _number(server.client_cpu_s / seconds if seconds else None),
            *(_number(model.calls_per_run if model else None) for model in models),
            *(_ms(model.wait_p95_s if model else None) for model in models),
            *(_number(model.busy if model else None) for model in models),
            _number(server.gpu_busy),
            ABSENT if memory is None else f"{memory / 1e6:.0f}",
            _ms(figures.lag_p99_s),
        )
    return table


def _chapter(run: LoadRun) -> Table:
    """Return the chapter's rows beside the most that this run saw answered in full."""
    table = _grid(
        "Beside the chapter",
        "The chapter's rows are its own figures, not measured by us, and a request there is one "
        "frame. Ours: the highest load that was answered in full, live streams on time",
        ["what"],
        ["at once", "P95 ms", "figure", "an hour", "/1000", "/min"],
    )
    for row in CHAPTER:
        numbers = (f"{row.per_s:g} requests/s", f"{row.per_hour:g}", _short(row.per_1000), ABSENT)
        table.add_row(f"chapter, {row.gpu}", f"{row.concurrent}", _ms(row.p95_s), *numbers)
    for name, figures in best(run.levels).items():
        cost = figures.cost
        table.add_row(
            f"ours, {name}",
            f"{figures.open_mean:.1f}",
            _ms(figures.latency.p95_s),
            f"{_short(figures.headline)} {HEADLINES[figures.level.unit]}",
            *(_short(price) for price in (cost.per_hour, cost.per_1000, cost.per_video_minute)),
        )
    return table


def best(levels: Sequence[LevelFigures]) -> dict[str, LevelFigures]:
    """Return of each series the highest load that was answered in full, if any was.

    Of live streams, all frames must have been on time, too.
    """
    found: dict[str, LevelFigures] = {}
    for figures in sorted(levels, key=lambda each: each.level.load):
        held = figures.keeps_up if figures.level.unit == "live" else not _lost(figures)
        if held:
            found[figures.level.series] = figures
    return found


def _lost(figures: LevelFigures) -> int:
    """Return how many requests came to nothing; a busy session's last one is merely cut off."""
    return figures.refused + figures.failed + figures.unsent


def document(plan: LoadPlan, price: Price, run: LoadRun, url: str) -> dict[str, Any]:
    """Return all of a run as JSON takes it."""
    return {
        "format": FORMAT,
        "units": UNITS,
        "server": url,
        "client": {"system": platform.platform(), "cores": os.cpu_count()},
        "plan": asdict(plan),
        "price": asdict(price),
        "models": run.models,
        "capacity": run.capacity,
        "unanswered": run.unanswered,
        "levels": [
            asdict(figures) | {"series": figures.level.series, "headline": figures.headline}
            for figures in run.levels
        ],
        "chapter": {
            "note": "Figures of the book chapter, not measured by us.",
            "rows": [asdict(row) | {"per_1000": row.per_1000} for row in CHAPTER],
        },
    }


def write_json(content: dict[str, Any], file: Path) -> None:
    """Write a run where other programs, and a later run, can read it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=2))


def read_json(file: Path) -> dict[str, Any]:
    """Return an earlier run.

    Raises:
        BadRequest: the file is none.
    """
    try:
        content: dict[str, Any] = json.loads(file.read_text())
        if content["format"] == FORMAT:
            return content
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise BadRequest(f"{file} is no load run of this version.", "Name a file that --json wrote.")


def comparison(old: dict[str, Any], new: dict[str, Any]) -> Table:
    """Return a row for each level that both runs have: before, after and the change."""
    numbers = ["P50 ms", "was", "P95 ms", "was", "P99 ms", "was", "headline", "was", "change"]
    title = "Against the earlier run"
    table = _grid(title, "change: of the headline figure", ["series", "load"], numbers)
    before = {_key(level): level for level in old["levels"]}
    for level in new["levels"]:
        was = before.get(_key(level))
        if was is None:
            continue
        cells = []
        for name in ("p50_s", "p95_s", "p99_s"):
            cells += [_ms(level["latency"][name]), _ms(was["latency"][name])]
        ours, theirs = level["headline"], was["headline"]
        change = f"{ours / theirs - 1:+.0%}" if theirs else ABSENT
        load = f"{level['level']['load']:g}"
        table.add_row(level["series"], load, *cells, f"{ours:.3g}", f"{theirs:.3g}", change)
    return table


def _key(level: dict[str, Any]) -> tuple[str, float]:
    return level["series"], level["level"]["load"]


def _ms(seconds: float | None) -> str:
    return ABSENT if seconds is None else f"{1000 * seconds:.0f}"


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return ABSENT
    return f"{seconds:.3f}" if seconds < 10 else f"{seconds:.1f}"


def _number(value: float | None) -> str:
    return ABSENT if value is None else f"{value:.2f}"


def _short(value: float | None) -> str:
    """Return three digits of a number, two of a small one."""
    if value is None:
        return ABSENT
    if value < 0.01:
        return f"{value:.2g}"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
