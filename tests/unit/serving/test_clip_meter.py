"""What is recorded of a video."""

from collections import Counter
from fractions import Fraction

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


def render(groups: list[tuple[float, int]]) -> Record:
    """Return what is recorded of groups encoded at given seconds after the start."""
    record, clock = Record(), Clock()
    meter = ClipMeter(record, "/v1/talk", now_s=clock)
    clock.now_s = 100.5
    meter.rendering()
    for index, (at_s, frames) in enumerate(groups):
        clock.now_s = 100 + at_s
        meter.encoded(frames, 0.25)
        if not index:
            meter.began()
    meter.finished(FPS, -0.02)
    return record


def test_frames_are_counted_by_route_and_so_are_the_late_ones() -> None:
    record = Record()
    meter = ClipMeter(record, "/v1/talk", now_s=Clock())
    meter.encoded(8, 0.25)
    meter.late(0)
    meter.encoded(8, 0.25)
    meter.late(3)
    assert record.counts == {FRAMES.name: 16, ENCODE.name: 0.5, LATE_FRAMES.name: 3}
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
