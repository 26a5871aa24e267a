"""How long a batch stays open: until the engine is free for it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bench.batching_forecast import Forecast, RunTime

RUN_S = 0.1


@pytest.fixture
def forecast() -> Forecast:
    """A forecast of an engine that takes 0.1 s for anything."""
    learned = Forecast(max_calls=4)
    for start_s in (0.0, 1.0):
        learned.start(1, 8, start_s)
        learned.end(start_s + RUN_S)
    return learned


def test_an_idle_engine_is_not_kept_waiting(forecast: Forecast) -> None:
    assert forecast.arrive(8, 5.0) == 0


def test_a_call_waits_for_the_rest_of_the_run(forecast: Forecast) -> None:
    forecast.start(1, 8, 5.0)
    assert forecast.arrive(8, 5.04) == pytest.approx(0.06)
    assert forecast.arrive(8, 5.07) == pytest.approx(0.03)


def test_an_overdue_run_is_not_waited_for(forecast: Forecast) -> None:
    forecast.start(1, 8, 5.0)
    assert forecast.arrive(8, 5.2) == 0


def test_a_call_beyond_a_full_batch_waits_for_that_too(forecast: Forecast) -> None:
    forecast.start(1, 8, 5.0)
    waits = [forecast.arrive(8, 5.0) for _ in range(9)]
    assert waits == pytest.approx([0.1] * 4 + [0.2] * 4 + [0.3])


def test_calls_that_arrive_at_once_on_an_idle_engine_share_a_batch(forecast: Forecast) -> None:
    assert [forecast.arrive(8, 5.0) for _ in range(3)] == [0, 0, 0]
    forecast.start(3, 24, 5.0)
    assert forecast.arrive(8, 5.0) == pytest.approx(RUN_S)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(1, 8)), max_size=60))
def test_waits_are_never_negative_and_an_empty_queue_never_waits(
    steps: list[tuple[int, int]],
) -> None:
    forecast = Forecast(max_calls=4)
    queue: list[int] = []
    for now_s, (step, frames) in enumerate(steps):
        if step == 0:
            queue.append(frames)
            assert forecast.arrive(frames, now_s) >= 0
        elif queue:
            batch, queue = queue[:4], queue[4:]
            forecast.start(len(batch), sum(batch), now_s)
            forecast.end(now_s + 0.5)
    forecast.start(len(queue), sum(queue), 100.0)
    forecast.end(100.5)
    assert forecast.arrive(8, 1000.0) == 0


def test_the_first_run_tells_nothing() -> None:
    run_time = RunTime()
    run_time.learn(8, 3.0)
    assert run_time.expected_s(8) == 0


def test_frames_count() -> None:
    run_time = RunTime()
    for frames in (8, 8, 16, 24, 2):
        run_time.learn(frames, 0.02 + 0.01 * frames)
    assert run_time.expected_s(32) == pytest.approx(0.34)
    assert run_time.expected_s(0) == pytest.approx(0.02)


def test_a_few_slow_runs_do_not_count() -> None:
    run_time = RunTime()
    rng = np.random.default_rng(1)
    for number in range(24):
        frames = int(rng.integers(1, 33))
        run_time.learn(frames, 0.02 + 0.01 * frames + (1.5 if number % 6 == 0 else 0))
    assert run_time.expected_s(16) == pytest.approx(0.18, rel=0.2)


def test_a_changed_engine_is_learned_anew() -> None:
    run_time = RunTime()
    for took_s in [0.1] * 16 + [0.3] * 16:
        run_time.learn(8, took_s)
    assert run_time.expected_s(8) == pytest.approx(0.3)
