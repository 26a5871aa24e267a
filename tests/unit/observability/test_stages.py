"""Stage times add up, are told, and read as a header."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app.observability.stages import StageTimes


def test_stages_add_up_in_order_of_work_and_each_is_told() -> None:
    told: list[tuple[str, float]] = []
    times = StageTimes(lambda stage, seconds: told.append((stage, seconds)))
    with times.measure("paint"):
        pass
    for _ in range(2):
        with times.measure("animate"):
            pass
    assert [stage for stage, _ in told] == ["paint", "animate", "animate"]
    header = times.server_timing()
    assert re.fullmatch(r"animate;dur=[\d.]+, paint;dur=[\d.]+, total;dur=[\d.]+", header)


def test_a_stage_that_fails_counts_and_fails() -> None:
    times = StageTimes()
    with pytest.raises(ValueError, match="no"), times.measure("face"):
        raise ValueError("no")
    assert times.server_timing().startswith("face;dur=")


def test_stages_are_within_spans_and_told_in_order_of_work() -> None:
    within: list[str] = []

    @contextmanager
    def span(stage: str) -> Iterator[None]:
        within.append(stage)
        yield
        within.append(f"after {stage}")

    times = StageTimes(span=span)
    for stage in ("encode", "decode"):
        with times.measure(stage):
            assert within[-1] == stage
    assert within == ["encode", "after encode", "decode", "after decode"]
    assert list(times.spent_s()) == ["decode", "encode"]
