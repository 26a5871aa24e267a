import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.media.mel import (
    HOP,
    SILENCE,
    LevelMeter,
    _bands,
    log_mel,
    mel_filters,
    mel_levels,
    mel_windows,
    scaled,
    speech_windows,
)

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


def test_every_filter_weighs_all_of_its_bins() -> None:
    spectrum = np.random.default_rng(4).random((3, 401))
    parts = [spectrum[:, bins] @ filters for bins, filters in _bands()]
    assert np.allclose(np.concatenate(parts, axis=1), spectrum @ mel_filters().T, rtol=1e-12)


@pytest.mark.parametrize("count", [1, 2, 320, 399, 400, 401, 799, 3200])
def test_log_mel_takes_any_length(count: int) -> None:
    samples = (np.random.default_rng(1).standard_normal(count) * 0.1).astype(np.float32)
    mel = log_mel(samples)
    assert mel.shape == (80, 1 + count // HOP)
    assert np.abs(mel - naive_log_mel(samples)).max() < 1e-5


@settings(deadline=None)
@given(st.lists(st.integers(0, 1500), min_size=1, max_size=12).filter(any))
def test_levels_do_not_depend_on_the_pieces_that_speech_comes_in(sizes: list[int]) -> None:
    samples = (np.random.default_rng(2).standard_normal(sum(sizes)) * 0.1).astype(np.float32)
    meter = LevelMeter()
    for piece in np.split(samples, np.cumsum(sizes)[:-1]):
        meter.push(piece)
    levels = meter.finish()
    assert levels.dtype == np.float32
    assert np.allclose(levels, mel_levels(samples), atol=1e-4)


@pytest.mark.parametrize("gain_db", [-20.0, -3.3, 0.0, 7.7, 20.0])
def test_a_gain_on_levels_is_a_gain_on_samples(gain_db: float) -> None:
    samples = np.concatenate([tone(300, 0.3, 0.05), np.zeros(4000, np.float32), tone(2000, 0.2)])
    louder = (samples.astype(np.float64) * 10 ** (gain_db / 20)).astype(np.float32)
    by_levels = scaled(mel_levels(samples), gain_db)
    assert np.abs(by_levels - log_mel(louder)).max() < 1e-5
    assert by_levels.min() == SILENCE


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


@given(
    st.integers(1, 60),
    st.sampled_from(RATES),
    st.integers(0, 60),
    st.integers(1, 9),
    st.sampled_from([-6.0, 0.0, 12.5]),
)
def test_speech_windows_are_the_mels_followed_by_silence(
    steps: int, fps: Fraction, first: int, frames: int, gain_db: float
) -> None:
    levels = np.random.default_rng(steps).uniform(-120, 40, (80, steps)).astype(np.float32)
    padded = np.pad(scaled(levels, gain_db), ((0, 0), (0, 16)), constant_values=SILENCE)
    windows = speech_windows(levels, gain_db, fps, first, first + frames)
    assert windows.dtype == np.float32
    assert (windows == mel_windows(padded, frames, fps, first)).all()


def test_parity_with_the_published_front_end(root: Path) -> None:
    stored = root.parent / "shared" / "parity" / "fixtures" / "mel.npz"
    if not stored.is_file():
        pytest.skip("no ../shared/parity beside this checkout")
    with np.load(stored) as arrays:
        signal = arrays["in__signal"]
        for count in (27_337, 27_200):
            assert np.abs(log_mel(signal[:count]) - arrays[f"mel_{count}"]).max() < 1e-5
