"""Pieces of a speech: with what is heard around them, they are the whole."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.errors import AppError, AudioTooLong, AudioTooShort, BadRequest, UnsupportedMedia
from app.media.chunk import (
    AFTER_MS,
    BEFORE_MS,
    Piece,
    Span,
    first_sample,
    hear,
    read_chunk,
)
from app.media.mel import SILENCE, mel_levels, speech_windows
from app.timeline import frame_count
from tests.unit.media.recordings import noise, recording

FPS = Fraction(25)
RATES = [Fraction(1), Fraction(10), FPS, Fraction(30000, 1001), Fraction(50), Fraction(60)]
SPEECH = noise(16_000 * 8)[:, 0] * np.linspace(0.2, 3, 16_000 * 8, dtype=np.float32).clip(0, 2)


def pcm(samples: NDArray[np.float32]) -> bytes:
    return np.rint(samples * 32767).astype("<i2").tobytes()


def piece_of(speech: NDArray[np.float32], span: Span, after_ms: int = AFTER_MS) -> Piece:
    assert span.count
    start = first_sample(span.start, span.fps) - span.before()
    stop = first_sample(span.start + span.count, span.fps) + after_ms * 16
    return hear(speech[start:stop], span, 1.0, 0.5)


def windows(piece: Piece, span: Span) -> NDArray[np.float32]:
    frames = (span.start, span.start + piece.frames)
    return speech_windows(piece.levels, 0.0, span.fps, *frames, piece.first_step)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(RATES), st.data())
def test_with_context_a_piece_is_heard_as_in_the_whole_speech(
    fps: Fraction, data: st.DataObject
) -> None:
    total = frame_count(Fraction(len(SPEECH), 16_000), fps)
    count = data.draw(st.integers(1, max(1, int(fps))))
    start = data.draw(st.integers(0, total - count))
    span = Span(start, count, min(BEFORE_MS, first_sample(start, fps) / 16), fps)
    whole = speech_windows(mel_levels(SPEECH), 0.0, fps, start, start + count)
    assert np.abs(windows(piece_of(SPEECH, span), span) - whole).max() < 1e-3


def test_without_context_a_piece_ends_in_silence() -> None:
    span = Span(50, 5, 0, FPS)
    alone = windows(piece_of(SPEECH, span, after_ms=0), span)
    assert (alone[-1, :, 5:] == SILENCE).all()
    with_context = windows(piece_of(SPEECH, span), span)
    assert (with_context[-1] > SILENCE).all()


@pytest.mark.parametrize("fps", RATES)
def test_without_a_count_the_frames_are_as_many_as_the_speech_takes(fps: Fraction) -> None:
    samples = SPEECH[:12_000]
    assert hear(samples, Span(0, None, 0, fps), 1.0, 0.5).frames == frame_count(Fraction(3, 4), fps)
    later = Span(100, None, 40, fps)
    assert hear(samples, later, 1.0, 0.5).frames == frame_count(Fraction(71, 100), fps)


@pytest.mark.parametrize(
    ("samples", "span", "error"),
    [
        (640, Span(1, 1, 40, FPS), AudioTooShort),
        (16_800, Span(0, None, 0, FPS), AudioTooLong),
        (16_000, Span(0, 26, 0, FPS), AudioTooLong),
        (9_000, Span(0, 1, 0, FPS), AudioTooLong),
        (9_000, Span(0, None, 1, FPS), BadRequest),
        (9_000, Span(1, None, 40.1, FPS), BadRequest),
    ],
    ids=["only context", "over a second", "frames", "context", "before 0", "before the start"],
)
def test_what_cannot_be_heard_is_refused(samples: int, span: Span, error: type[AppError]) -> None:
    with pytest.raises(error) as refused:
        hear(SPEECH[:samples], span, 1.0, 0.5)
    assert refused.value.hint


@pytest.mark.parametrize("count", [1, 2, 150, 199, 201])
def test_very_short_pieces_are_heard(count: int) -> None:
    piece = hear(SPEECH[:count], Span(7, 1, 0, FPS), 1.0, 0.5)
    assert windows(piece, Span(7, 1, 0, FPS)).shape == (1, 80, 16)
    assert np.isfinite(piece.levels).all()


def test_bare_samples_and_a_file_are_the_same() -> None:
    samples = SPEECH[:8000]
    file = recording(np.rint(samples * 32767).astype(np.int16)[:, None], 16_000)
    assert np.array_equal(read_chunk(pcm(samples), True, 1.5), read_chunk(file, False, 1.5))


def test_files_of_other_rates_and_channels_are_read_and_silence_is_no_fault() -> None:
    stereo = recording(noise(24_000, 2), 48_000, "FLAC")
    assert read_chunk(stereo, False, 1.5).shape == (8000,)
    assert not read_chunk(bytes(3200), True, 1.5).any()


@pytest.mark.parametrize(
    ("data", "is_raw", "error"),
    [
        (bytes(48_002), True, AudioTooLong),
        (recording(noise(48_000), 16_000), False, AudioTooLong),
        (bytes(3), True, UnsupportedMedia),
        (b"", True, AudioTooShort),
        (b"no sound", False, UnsupportedMedia),
    ],
    ids=["long", "long file", "half a sample", "empty", "text"],
)
def test_what_cannot_be_read_is_refused(data: bytes, is_raw: bool, error: type[AppError]) -> None:
    with pytest.raises(error):
        read_chunk(data, is_raw, 1.5)
