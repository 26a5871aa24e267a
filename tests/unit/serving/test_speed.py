"""What a replica can do, learnt from its runs."""

import itertools

import pytest

from app.serving.speed import Speed


def learnt(*runs: tuple[int, float], full: int = 32) -> Speed:
    cpu = itertools.count(0.0, 0.5)
    speed = Speed(full, lambda: next(cpu))
    for frames, seconds in runs:
        speed.note(frames, seconds)
    return speed


def test_before_the_first_run_nothing_is_known() -> None:
    assert Speed(32).pace() is None


def test_a_constant_and_a_time_per_frame_are_told_apart() -> None:
    runs = [(frames, 0.1 + 0.01 * frames) for frames in (8, 16, 32, 8, 24, 2)]
    pace = learnt(*runs).pace()
    assert pace is not None
    assert pace.frames_per_s == pytest.approx(32 / 0.42)


def test_runs_that_are_alike_say_what_a_frame_takes() -> None:
    pace = learnt(*[(8, 0.2)] * 5).pace()
    assert pace is not None
    assert pace.frames_per_s == pytest.approx(40)
    assert pace.cpu_s == pytest.approx(0.5 / 8)


def test_larger_runs_that_happened_to_be_quicker_promise_no_wonders() -> None:
    pace = learnt((8, 0.4), (16, 0.3)).pace()
    assert pace is not None
    assert 16 / 0.3 <= pace.frames_per_s <= 32 / 0.3


def test_what_was_long_ago_is_forgotten() -> None:
    pace = learnt(*[(8, 0.2)] * 20, *[(8, 0.8)] * 100).pace()
    assert pace is not None
    assert pace.frames_per_s == pytest.approx(10, rel=0.05)


def test_what_a_process_did_in_a_long_pause_is_not_the_frames_cost() -> None:
    cpu_s, now_s = 0.0, 0.0
    speed = Speed(8, lambda: cpu_s, lambda: now_s)
    for pause_s, spent_s in ((0.1, 0.08), (0.1, 0.08), (3600.0, 18.0), (0.1, 0.08)):
        cpu_s, now_s = cpu_s + spent_s, now_s + pause_s
        speed.note(8, 0.1)
    pace = speed.pace()
    assert pace is not None
    assert pace.cpu_s == pytest.approx(0.01)
