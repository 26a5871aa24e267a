"""What is recorded of a video: who plays it from the first fragment on sees late frames stall."""

from collections import Counter
from fractions import Fraction

import pytest

from app.observability.metrics import (
    AV_OFFSET,
    ENCODE,
    FIRST_FRAGMENT,
    FRAMES,
    LATE_FRAMES,
    REAL_TIME,
    VIDEO,
    Metric,
)
from app.serving.clip_meter import ClipMeter

FPS = Fraction(25)


class Record:
    """Remembers what is counted and observed."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.values: dict[str, list[float]] = {}
        self.routes: set[str] = set()

    def count(self, metric: Metric, more: float = 1, **labels: str) -> None:
        self.counts[metric.name] += more  # type: ignore[assignment]
        self.routes.add(labels["route"])

    def observe(self, metric: Metric, value: float, **labels: str) -> None:
        self.values.setdefault(metric.name, []).append(value)


class Clock:
    """A clock that is set by hand."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def render(groups: list[tuple[float, int]], fps: Fraction = FPS) -> Record:
    """Return what is recorded of groups encoded at given seconds after the start."""
    record, clock = Record(), Clock()
    meter = ClipMeter(record, "/v1/talk", clock)
    clock.now_s = 100.5
    meter.rendering()
    for index, (at_s, frames) in enumerate(groups):
        clock.now_s = 100 + at_s
        meter.encoded(frames, fps, 0.25)
        if not index:
            meter.began()
    meter.finished(fps, -0.02)
    return record


@pytest.mark.parametrize(
    ("groups", "late"),
    [
        ([(1.0, 8), (1.3, 8), (1.6, 8)], 0),
        ([(1.0, 8), (1.32, 8)], 0),  # the ninth frame is due at 1.32 s
        ([(1.0, 8), (1.33, 8)], 1),
        ([(1.0, 8), (1.5, 8)], 5),  # due until then: frames 8 to 12
        ([(1.0, 8), (9.0, 8), (9.1, 8)], 16),
        ([(5.0, 8)], 0),  # nobody plays before the first fragment
    ],
    ids=["ahead", "just in time", "by one", "a few", "all that follow", "first"],
)
def test_frames_are_late_that_were_due_before_they_were_made(
    groups: list[tuple[float, int]], late: int
) -> None:
    record = render(groups)
    assert record.counts[LATE_FRAMES.name] == late
    assert record.counts[FRAMES.name] == sum(frames for _, frames in groups)
    assert record.routes == {"/v1/talk"}


def test_a_finished_video_counts_its_seconds_and_how_fast_it_was_made() -> None:
    record = render([(1.0, 20), (1.5, 30)])
    assert record.counts[VIDEO.name] == 2.0
    assert record.counts[ENCODE.name] == 0.5
    assert record.values == {
        FIRST_FRAGMENT.name: [1.0],
        REAL_TIME.name: [0.5],  # 1 s from the start of rendering, for 2 s of video
        AV_OFFSET.name: [0.02],
    }


def test_rates_that_are_no_whole_numbers_are_exact() -> None:
    fps = Fraction(30_000, 1001)
    assert render([(1.0, 30), (2.0, 1)], fps).counts[LATE_FRAMES.name] == 0
    assert render([(1.0, 30), (2.002, 1)], fps).counts[LATE_FRAMES.name] == 1
