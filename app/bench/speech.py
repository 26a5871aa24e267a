"""Recordings of the length that a benchmark needs, from real speech.

N audio samples.
"""

import io
import wave

import numpy as np
from numpy.typing import NDArray

from app.media.samples import decode_mono


def stretched(recording: bytes, seconds: float) -> bytes:
    """Return a WAV of a recording, cut or repeated to a length."""
    samples, rate_hz = decode_mono(recording)
    return _wav(np.resize(samples, round(seconds * rate_hz)), rate_hz)


def loudest(recording: bytes, seconds: float) -> bytes:
    """Return a WAV of the loudest piece of a recording, repeated first if that is too short."""
    samples, rate_hz = decode_mono(recording)
    length = max(1, round(seconds * rate_hz))
    samples = np.resize(samples, max(length, len(samples)))
    energy = np.concatenate([[0.0], np.square(samples, dtype=np.float64).cumsum()])
    start = int(np.argmax(energy[length:] - energy[:-length]))
    return _wav(samples[start : start + length], rate_hz)


def _wav(samples_N: NDArray[np.float32], rate_hz: int) -> bytes:
    """Return a mono WAV of 16 bits from samples in [-1, 1]."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate_hz)
        out.writeframes((samples_N * 32767).astype("<i2").tobytes())
    return file.getvalue()
