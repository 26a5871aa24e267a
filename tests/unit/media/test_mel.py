import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.media.mel import HOP, SILENCE, log_mel, mel_filters, mel_windows, speech_gain

RATES = [Fraction(25), Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60), Fraction(1)]


def tone(hz: float, seconds: float, level: float = 0.5) -> NDArray[np.float32]:
    time = np.arange(int(16_000 * seconds)) / 16_000
    return (level * np.sin(2 * np.pi * hz * time)).astype(np.float32)


def ramp(steps: int) -> NDArray[np.float32]:
    """A mel whose every column holds its own number."""
    return np.tile(np.arange(steps, dtype=np.float32), (80, 1))


def naive_log_mel(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """The formula at once, with a plain DFT of whole arrays."""
    x = samples.astype(np.float64)
    y = np.pad(np.append(x[0], x[1:] - 0.97 * x[:-1]), 400, mode="reflect")
    window = np.hanning(801)[:-1]
    columns = [y[200 * s : 200 * s + 800] * window for s in range(1 + len(x) // 200)]
    level = 20 * np.log10(np.maximum(1e-5, mel_filters() @ np.abs(np.fft.rfft(columns)).T)) - 20
    result: NDArray[np.float64] = np.clip(8 * (level + 100) / 100 - 4, -4, 4)
    return result


def test_log_mel_equals_the_formula_across_its_chunks() -> None:
    samples = (np.random.default_rng(0).standard_normal(16_000 * 15) * 0.1).astype(np.float32)
    mel = log_mel(samples)
    assert mel.dtype == np.float32
    assert np.abs(mel - naive_log_mel(samples)).max() < 1e-5


@pytest.mark.parametrize("count", [1, 2, 320, 399, 400, 401, 799, 3200])
def test_log_mel_takes_any_length(count: int) -> None:
    mel = log_mel(np.full(count, 0.1, np.float32))
    assert mel.shape == (80, 1 + count // HOP)
    assert np.isfinite(mel).all()


def test_log_mel_of_silence_is_the_floor() -> None:
    assert (log_mel(np.zeros(16_000, np.float32)) == SILENCE).all()


def test_log_mel_peaks_where_the_tone_is() -> None:
    centres_hz = np.argmax(mel_filters(), axis=1) * 20
    for hz in (200, 1000, 4000):
        loudest = int(log_mel(tone(hz, 1))[:, 40].argmax())
        assert abs(centres_hz[loudest] - hz) < 0.06 * hz + 20


def test_mel_filters_have_equal_area_and_stay_within_the_band() -> None:
    filters = mel_filters()
    assert filters.shape == (80, 401)
    assert filters[:, : math.ceil(55 / 20)].sum() == 0
    assert filters[:, 7600 // 20 + 1 :].sum() == 0
    assert np.allclose(filters[40:].sum(axis=1) * 20, 1, atol=0.02)


@given(st.integers(16, 200), st.sampled_from(RATES), st.integers(1, 60), st.integers(0, 60))
def test_mel_windows_start_at_each_frames_time_or_repeat_the_last(
    steps: int, fps: Fraction, num_frames: int, first: int
) -> None:
    windows = mel_windows(ramp(steps), num_frames, fps, first)
    assert windows.shape == (num_frames, 80, 16)
    starts = windows[:, 0, 0]
    for frame, start in enumerate(starts, first):
        assert start == min(math.floor(Fraction(80 * frame) / fps), steps - 16)
    assert (windows[:, 3] == starts[:, None] + np.arange(16)).all()


def test_mel_windows_of_a_short_recording_end_in_silence() -> None:
    windows = mel_windows(ramp(3), 2, Fraction(25))
    assert (windows[:, 0, :3] == [0, 1, 2]).all()
    assert (windows[:, :, 3:] == SILENCE).all()


def test_mel_windows_are_a_copy() -> None:
    mel = ramp(20)
    mel_windows(mel, 3, Fraction(25))[:] = 9
    assert mel[0, 0] == 0


@pytest.mark.parametrize("level", [0.02, 0.1, 0.5])
def test_speech_gain_brings_speech_to_one_level_whatever_the_pauses(level: float) -> None:
    speech = tone(300, 1, level)
    with_pauses = np.concatenate([np.zeros(32_000, np.float32), speech, np.zeros(9, np.float32)])
    rms = level / math.sqrt(2)
    assert speech_gain(with_pauses) == pytest.approx(0.1 / rms, rel=0.02)


@pytest.mark.parametrize("count", [0, 1, 16_000])
def test_speech_gain_of_silence_is_one(count: int) -> None:
    assert speech_gain(np.zeros(count, np.float32)) == 1.0


def test_speech_gain_is_bounded() -> None:
    assert speech_gain(tone(300, 1, 0.002)) == 10.0
    assert speech_gain(np.full(16_000, 1e6, np.float32)) == 0.1
