"""Recordings of the length that a benchmark needs, from real speech.

N audio samples.
"""

import io
import wave

import numpy as np
from numpy.typing import NDArray

from app.media.resample import Resampler
from app.media.samples import decode_mono
from app.values import SPEECH_HZ


def stretched(recording: bytes, seconds: float) -> bytes:
    """Return a WAV of a recording, cut or repeated to a length."""
    samples, rate_hz = decode_mono(recording)
    return _wav(np.resize(samples, round(seconds * rate_hz)), rate_hz)


def loudest(recording: bytes, seconds: float) -> bytes:
    """Return the loudest piece of a recording, repeated first if that is too short.

    As bare samples: 16-bit mono at 16 kHz, little-endian.
    """
    samples, rate_hz = decode_mono(recording)
    if rate_hz != SPEECH_HZ:
        resampler = Resampler(1, rate_hz, SPEECH_HZ)
        samples = np.concatenate([resampler.push(samples[None]), resampler.flush()], axis=1)[0]
    length = max(1, round(seconds * SPEECH_HZ))
    samples = np.resize(samples, max(length, len(samples)))
    energy = np.concatenate([[0.0], np.square(samples, dtype=np.float64).cumsum()])
    start = int(np.argmax(energy[length:] - energy[:-length]))
    return _pcm(samples[start : start + length])


def _wav(samples_N: NDArray[np.float32], rate_hz: int) -> bytes:
    """Return a mono WAV of 16 bits from samples in [-1, 1]."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate_hz)
        out.writeframes(_pcm(samples_N))
    return file.getvalue()


def _pcm(samples_N: NDArray[np.float32]) -> bytes:
    return (samples_N * 32767).astype("<i2").tobytes()
