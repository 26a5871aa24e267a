"""The chapter's table with our rows beside it, from the JSON files of load runs, as Markdown."""

from collections.abc import Iterable, Sequence
from typing import Any

from app.bench.chapter import CHAPTER
from app.bench.load_report import ABSENT, HEADLINES

HEADERS = (
    *("what", "at once", "P50 ms", "P95 ms", "P99 ms", "figure"),
    *("an hour", "1000 requests", "minute of video"),
)
NOTE = (
    "The chapter's rows are its own figures, not measured by us; a request there is one frame. "
    "Ours: of each series the most that was answered in full, live streams without a late frame."
)


def markdown(runs: Sequence[dict[str, Any]], budget_s: float) -> str:
    """Return the table, and under it what it says.

    Args:
        runs: JSON documents of `app.bench load`, of one server.
        budget_s: P95 latency of chunks that a level must keep to be shown.
    """
    rows = [_row(HEADERS), _row("---" for _ in HEADERS)]
    for row in CHAPTER:
        figure, hour = f"{row.per_s:g} requests/s", f"{row.per_hour:g}"
        times = (ABSENT, f"{1000 * row.p95_s:.0f}", ABSENT)
        costs = (hour, f"{row.per_1000:.3g}", ABSENT)
        rows.append(_row([f"chapter, {row.gpu}", f"{row.concurrent}", *times, figure, *costs]))
    levels = [level for run in runs for level in run["levels"]]
    for level in most(levels, budget_s):
        rows.append(_row(_ours(level)))
    return "\n".join([*rows, "", NOTE])


def most(levels: Iterable[dict[str, Any]], budget_s: float) -> list[dict[str, Any]]:
    """Return of each series the level with the highest figure among those that held."""
    best: dict[str, dict[str, Any]] = {}
    for level in levels:
        known = best.get(level["series"])
        if _held(level, budget_s) and (known is None or level["headline"] > known["headline"]):
            best[level["series"]] = level
    return list(best.values())


def _held(level: dict[str, Any], budget_s: float) -> bool:
    """Return whether nothing was refused or lost, nor late where that counts."""
    if level["refused"] + level["failed"] + level["unsent"] + level["late_frames"]:
        return False
    in_chunks = level["level"]["unit"] in ("chunks", "callers")
    p95_s = level["latency"]["p95_s"]
    return not in_chunks or (p95_s is not None and p95_s <= budget_s)


def _ours(level: dict[str, Any]) -> list[str]:
    times = [level["latency"][name] for name in ("p50_s", "p95_s", "p99_s")]
    cost = level["cost"]
    return [
        f"ours, {level['series']}",
        f"{level['open_mean']:.1f}",
        *(ABSENT if time_s is None else f"{1000 * time_s:.0f}" for time_s in times),
        f"{level['headline']:.4g} {HEADLINES[level['level']['unit']]}",
        *(_money(cost[name]) for name in ("per_hour", "per_1000", "per_video_minute")),
    ]


def _money(price: float | None) -> str:
    return ABSENT if price is None else f"{price:.3g}"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
