"""How openings are compared, of series whose truth is known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from app.quality.opening import closed_share, likeness, shut_in_pauses, vowel_order
from app.quality.passage import silences

FRAMES = 200


def wave(shift: float = 0.0) -> NDArray[np.float32]:
    times = np.arange(FRAMES) - shift
    return np.asarray(np.sin(times / 3) + np.sin(times / 7.3), np.float32)


def test_an_opening_is_like_itself_whatever_its_unit() -> None:
    same = likeness(3 * wave() + 1, wave())
    assert same.correlation == pytest.approx(1)
    assert same.lag_s == pytest.approx(0, abs=1e-3)
    assert likeness(-wave(), wave()).correlation == pytest.approx(-1)
    assert likeness(np.zeros(FRAMES, np.float32), wave()).correlation == 0


@pytest.mark.parametrize("frames", [-2.0, 1.0, 2.5])
def test_a_late_mouth_has_a_positive_lag(frames: float) -> None:
    assert likeness(wave(frames), wave()).lag_s == pytest.approx(frames / 25, abs=0.008)


def test_one_closed_frame_makes_a_closure() -> None:
    gap = np.full(50, 0.1, np.float32)
    gap[10] = 0.01
    spans = np.array([[0.37, 0.43], [1.0, 1.1], [0.395, 0.397]], np.float32)
    assert closed_share(gap, spans) == pytest.approx(2 / 3)
    assert np.isnan(closed_share(gap, spans[:0]))


def test_only_long_pauses_count_and_only_after_a_while() -> None:
    gap = np.full(100, 0.1, np.float32)
    gap[29:50] = 0
    # From 1.15 s on to 2 s all frames are closed; the short pause is open throughout.
    assert shut_in_pauses(gap, np.array([[1.0, 2.0], [3.0, 3.2]], np.float32)) == 1
    assert shut_in_pauses(gap, np.array([[1.0, 2.4]], np.float32)) < 0.8
    assert np.isnan(shut_in_pauses(gap, np.array([[3.0, 3.2]], np.float32)))


def test_open_vowels_are_told_from_close_ones() -> None:
    gap = np.zeros(50, np.float32)
    gap[10:14], gap[30:34] = 0.3, 0.1
    spans = [np.array([[start, start + 0.16]], np.float32) for start in (0.4, 1.2)]
    assert vowel_order(gap, *spans) == pytest.approx(0.2)
    assert vowel_order(gap, *spans[::-1]) == pytest.approx(-0.2)


def test_silences_pass_over_clicks() -> None:
    sounding = np.zeros(160, np.bool_)
    sounding[80:120] = True
    sounding[30] = True
    assert silences(sounding, 80).tolist() == [[0, 1], [1.5, 2]]
