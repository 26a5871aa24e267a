from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import BadRequest
from app.timeline import clamped_fps, frame_count, nominal_fps, parse_fps, ping_pong


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("25", Fraction(25)),
        (" 25.0 ", Fraction(25)),
        ("1", Fraction(1)),
        ("60", Fraction(60)),
        ("12.5", Fraction(25, 2)),
        ("23.976", Fraction(24000, 1001)),
        ("23.98", Fraction(24000, 1001)),
        ("23.976023976", Fraction(24000, 1001)),
        ("29.97", Fraction(30000, 1001)),
        ("59.94", Fraction(60000, 1001)),
        ("30000/1001", Fraction(30000, 1001)),
        ("50/2", Fraction(25)),
        ("24.9", Fraction(249, 10)),
    ],
)
def test_parse_fps_reads_usual_forms(text: str, rate: Fraction) -> None:
    assert parse_fps(text) == rate


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "0.5",
        "61",
        "60.01",
        "-25",
        "nan",
        "inf",
        "1e1",
        "25/0",
        "x",
        "25fps",
        "1/2/3",
        "٢٥",
    ],
)
def test_parse_fps_refuses_what_is_no_rate_in_range(text: str) -> None:
    with pytest.raises(BadRequest):
        parse_fps(text)


@given(st.text(max_size=12))
def test_parse_fps_answers_or_refuses_any_text(text: str) -> None:
    try:
        rate = parse_fps(text)
    except BadRequest:
        return
    assert 1 <= rate <= 60
    assert rate.denominator <= 1001


@given(
    st.fractions(min_value=Fraction(1, 50), max_value=600),
    st.fractions(min_value=1, max_value=60, max_denominator=1001),
)
def test_frame_count_is_within_half_a_frame(duration_s: Fraction, fps: Fraction) -> None:
    frames = frame_count(duration_s, fps)
    assert frames >= 1
    assert frames == 1 or abs(duration_s - frames / fps) <= 1 / (2 * fps)


def test_frame_count_rounds_half_up() -> None:
    assert frame_count(Fraction(1, 10), Fraction(25)) == 3
    assert frame_count(Fraction(1, 50), Fraction(1)) == 1


@pytest.mark.parametrize(
    ("length", "steps"),
    [(1, [0, 0, 0, 0]), (2, [0, 1, 0, 1, 0]), (4, [0, 1, 2, 3, 2, 1, 0, 1, 2, 3, 2])],
)
def test_ping_pong_shows_no_end_twice(length: int, steps: list[int]) -> None:
    assert [ping_pong(index, length) for index in range(len(steps))] == steps


@given(st.integers(0, 10**9), st.integers(2, 10**6))
def test_ping_pong_moves_by_one_and_stays_inside(index: int, length: int) -> None:
    here, there = ping_pong(index, length), ping_pong(index + 1, length)
    assert abs(here - there) == 1
    assert 0 <= here < length


@pytest.mark.parametrize(
    ("rate", "nominal"),
    [
        (Fraction(2999, 100), Fraction(30)),
        (Fraction(2996, 100), Fraction(30000, 1001)),
        (Fraction(248, 10), Fraction(248, 10)),
        (Fraction(2397, 100), Fraction(24000, 1001)),
        (Fraction(1, 10), Fraction(1, 10)),
    ],
)
def test_nominal_rate_is_a_usual_one_nearby(rate: Fraction, nominal: Fraction) -> None:
    assert nominal_fps(rate) == nominal


def test_clamped_rate_is_one_of_a_result() -> None:
    assert clamped_fps(Fraction(240)) == 60
    assert clamped_fps(Fraction(1, 7)) == 1
    assert clamped_fps(Fraction(30000, 1001)) == Fraction(30000, 1001)
