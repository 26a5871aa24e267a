import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.media.loudness import Loudness


def tone(level: float, seconds: float = 1) -> NDArray[np.float32]:
    time = np.arange(int(16_000 * seconds)) / 16_000
    return (level * np.sin(2 * np.pi * 300 * time)).astype(np.float32)


def measured(*pieces: NDArray[np.float32]) -> Loudness:
    loudness = Loudness()
    for piece in pieces:
        loudness.push(piece)
    return loudness


@pytest.mark.parametrize("level", [0.02, 0.1, 0.5])
def test_gain_brings_speech_to_one_level_whatever_the_pauses(level: float) -> None:
    loudness = measured(np.zeros(32_000, np.float32), tone(level), np.zeros(9, np.float32))
    rms_db = 20 * math.log10(level / math.sqrt(2))
    assert loudness.gain_db() == pytest.approx(-20 - rms_db, abs=0.2)
    assert loudness.peak == pytest.approx(level, rel=0.01)


@pytest.mark.parametrize("count", [0, 1, 16_000])
def test_gain_of_silence_is_none(count: int) -> None:
    assert measured(np.zeros(count, np.float32)).gain_db() == 0


def test_gain_is_bounded() -> None:
    assert measured(tone(0.002)).gain_db() == 20
    assert measured(np.full(16_000, 1e6, np.float32)).gain_db() == -20


@given(st.lists(st.integers(0, 900), min_size=1, max_size=9).filter(any))
def test_gain_does_not_depend_on_the_pieces_that_speech_comes_in(sizes: list[int]) -> None:
    whole = np.random.default_rng(sum(sizes)).uniform(-0.3, 0.3, sum(sizes)).astype(np.float32)
    pieces = np.split(whole, np.cumsum(sizes)[:-1])
    assert measured(*pieces).gain_db() == pytest.approx(measured(whole).gain_db(), abs=1e-9)
    assert measured(*pieces).peak == measured(whole).peak
