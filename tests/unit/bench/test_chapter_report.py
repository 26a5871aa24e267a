"""The chapter's rows and ours in one table."""

from typing import Any

from app.bench.chapter_report import markdown, most


def level(unit: str, series: str, headline: float, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "series": series,
        "level": {"unit": unit},
        "headline": headline,
        "open_mean": 12.34,
        "latency": {"p50_s": 0.1, "p95_s": 0.2, "p99_s": None},
        "cost": {"per_hour": 3.5, "per_1000": 0.00324, "per_video_minute": None},
        **dict.fromkeys(("refused", "failed", "unsent", "late_frames"), 0),
        **more,
    }


def test_of_each_series_the_most_that_held_is_shown() -> None:
    slow = {"p50_s": 0.1, "p95_s": 0.3, "p99_s": 0.4}
    levels = [
        level("chunks", "chunks of 1", 200),
        level("chunks", "chunks of 1", 300),
        level("chunks", "chunks of 1", 400, latency=slow),
        level("live", "live", 12, latency=slow),
        level("live", "live", 16, late_frames=1),
        level("clips", "clips", 70, refused=1),
    ]
    shown = {each["series"]: each["headline"] for each in most(levels, 0.25)}
    assert shown == {"chunks of 1": 300, "live": 12}


def test_the_chapters_rows_stand_beside_ours_and_say_whose_they_are() -> None:
    runs = [
        {"levels": [level("chunks", "chunks of 1", 300)]},
        {"levels": [level("live", "live", 9)]},
    ]
    table = markdown(runs, 0.25)
    lines = table.splitlines()
    assert "| chapter, A100 | 50 | - | 250 | - | 200 requests/s | 3.5 | 0.00486 | - |" in lines
    ours = "| ours, chunks of 1 | 12.3 | 100 | 200 | - | 300 chunks/s | 3.5 | 0.00324 | - |"
    assert ours in lines
    assert "| ours, live | 12.3 | 100 | 200 | - | 9 on time | 3.5 | 0.00324 | - |" in lines
    assert "not measured by us" in lines[-1]
    assert len({line.count("|") for line in lines[:-2]}) == 1
