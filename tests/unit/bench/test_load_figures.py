"""Figures of a level, and what they cost."""

import pytest

from app.bench.chapter import CHAPTER
from app.bench.cost import Price, cost_of
from app.bench.load import Tally
from app.bench.load_client import Outcome
from app.bench.load_figures import Level, LevelFigures, figures_of
from app.bench.load_report import best
from app.bench.server_watch import ServerFigures


def answered(due_s: float, latency_s: float, frames: int = 1) -> Outcome:
    times_s = [due_s + latency_s] * frames
    return Outcome(due_s, due_s + 0.001, due_s + latency_s, frames_s=times_s)


def level_of(
    outcomes: list[Outcome], level: Level | None = None, price: Price | None = None
) -> LevelFigures:
    tally = Tally(0.0, 10.0, outcomes)
    asked = level or Level("chunks", 10, 1)
    return figures_of(asked, tally, ServerFigures(gpus=2), price or Price())


def test_every_request_is_counted_once() -> None:
    outcomes = [
        answered(0, 0.1),
        Outcome(1, 1, 1.1, status="refused", problem="over_capacity", retry_after_s=2.0),
        Outcome(2, 2, 2.1, status="failed", problem="not_ready"),
        Outcome(3, 3, 63, status="overdue", problem="no_answer_in_time"),
    ]
    figures = level_of(outcomes)
    assert (figures.sent, figures.ok, figures.refused, figures.failed) == (4, 1, 1, 2)
    assert figures.problems == {"over_capacity": 1, "not_ready": 1, "no_answer_in_time": 1}
    assert figures.retry_after_s == 2
    assert figures.per_s == 0.1
    assert not figures.clean


def test_what_got_no_answer_in_time_counts_with_its_age_and_refusals_do_not() -> None:
    overdue = Outcome(0, 0, 60, status="overdue")
    refused = Outcome(0, 0, 0.001, status="refused")
    latency = level_of([*[answered(0, 1)] * 9, overdue, *[refused] * 50]).latency
    assert latency.p50_s == 1
    assert latency.p99_s is not None
    assert latency.p99_s > 50
    assert level_of([refused]).latency.p50_s is None


def test_a_live_stream_waits_for_its_first_frames_and_is_on_time_or_not() -> None:
    late = Outcome(0, 0, 5, frames_s=[0.5, 5.0])
    figures = level_of([answered(0, 4, frames=25), late], Level("live", 2))
    assert figures.latency.p50_s == pytest.approx(2.25)
    assert (figures.late_frames, figures.late_streams, figures.headline) == (1, 1, 1)
    assert not figures.keeps_up
    assert level_of([answered(0, 4, frames=25)], Level("live", 1)).keeps_up


def test_each_unit_counts_in_its_own_figure() -> None:
    outcomes = [answered(float(n), 0.5, frames=250) for n in range(5)]
    assert level_of(outcomes, Level("frames", 2)).headline == 125
    assert level_of(outcomes, Level("clips", 0.5)).headline == 30
    assert level_of(outcomes, Level("chunks", 0.5, 5)).headline == 0.5
    assert level_of(outcomes, Level("live", 5)).headline == 5


def test_the_generators_own_delay_is_told() -> None:
    assert level_of([Outcome(0, 0.4, 1, frames_s=[1.0])]).lag_p99_s == pytest.approx(0.4)


def test_a_level_is_priced_with_as_many_gpus_as_the_server_has_or_as_was_said() -> None:
    outcomes = [answered(float(n), 0.5, frames=250) for n in range(5)]
    cost = level_of(outcomes, price=Price(machine=0.6, gpu=1.5)).cost
    assert cost.per_hour == pytest.approx(3.6)
    assert cost.per_1000 == pytest.approx(1000 * 0.001 / 0.5)
    assert cost.per_video_minute == pytest.approx(60 * 0.001 / 5)
    assert level_of(outcomes, price=Price(gpu=1.5, gpus=1)).cost.per_hour == 1.5
    assert level_of(outcomes).cost.per_hour is None


def test_nothing_served_has_no_price_apiece() -> None:
    cost = cost_of(1.0, 0.0, 0.0)
    assert (cost.per_hour, cost.per_1000, cost.per_video_minute) == (1.0, None, None)


def test_the_chapters_rows_are_those_it_prints() -> None:
    rows = [(row.gpu, row.concurrent, row.p95_s, row.per_s, row.per_hour) for row in CHAPTER]
    assert rows == [
        ("RTX 3060", 5, 0.8, 6, 0.5),
        ("RTX 4090", 15, 0.35, 42, 1.5),
        ("A100", 50, 0.25, 200, 3.5),
    ]
    assert CHAPTER[2].per_1000 == pytest.approx(3.5 / 720)


def test_the_best_of_a_series_is_the_highest_load_that_lost_nothing() -> None:
    refused = Outcome(0, 0, 1, status="refused")
    levels = [
        level_of([answered(0, 1)], Level("chunks", 2, 1)),
        level_of([answered(0, 1)], Level("chunks", 1, 1)),
        level_of([answered(0, 1), refused], Level("chunks", 4, 1)),
        level_of([Outcome(0, 0, 5, frames_s=[0.5, 5.0])], Level("live", 1)),
        level_of([answered(0, 1), Outcome(9, 9, 10, status="cut")], Level("frames", 2)),
    ]
    assert {name: each.level.load for name, each in best(levels).items()} == {
        "chunks of 1": 2,
        "frames": 2,
    }
