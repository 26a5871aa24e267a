"""The sound of a video, decoded again from the uploaded file while the video is written.

C audio channels, N samples.
"""

import math
from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from app.media.recording import read_blocks
from app.media.resample import Resampler, resampled_length
from app.values import Sound

# Of AAC's rates only these have frames (1024 samples) shorter than a picture at 25 fps with room
# to spare; at 16 kHz a frame is 64 ms, and sound could end that much off the picture.
_SOUND_RATES_HZ = (44_100, 48_000)
_OTHER_SOUND_HZ = 48_000


def sound_of(data: bytes, count: int, rate_hz: int, channels: int) -> Sound:
    """Return how a recording will be heard.

    One or two channels and rates of 44.1 and 48 kHz are kept; other rates become 48 kHz, and more
    than two channels are mixed to one, because their layout is seldom stated.

    Args:
        data: the recording's file.
        count: samples in it, as `read_blocks` yields them.
        rate_hz: their rate.
        channels: their channels.
    """
    sound_hz = rate_hz if rate_hz in _SOUND_RATES_HZ else _OTHER_SOUND_HZ
    num_samples = resampled_length(count, rate_hz, sound_hz)
    return Sound(data, sound_hz, channels if channels <= 2 else 1, num_samples)


def sound_blocks(sound: Sound) -> Generator[NDArray[np.int16], None, None]:
    """Yield the samples of a sound, (C, N) int16, about a second at a time.

    Nothing moves in time but by the sound's own delay. Samples beyond full scale are clipped.
    """
    resampler: Resampler | None = None
    silent, dropped = max(0, sound.delay_samples), max(0, -sound.delay_samples)
    while silent:
        count = min(silent, sound.rate_hz)
        silent -= count
        yield np.zeros((sound.channels, count), np.int16)
    for block in read_blocks(sound.data, math.inf):
        samples, rate = block.samples, block.rate_hz
        if len(samples) != sound.channels:
            samples = samples.mean(axis=0, keepdims=True, dtype=np.float32)
        resampler = resampler or Resampler(sound.channels, rate, sound.rate_hz)
        ready = _to_int16(resampler.push(samples))
        yield ready[:, dropped:]
        dropped = max(0, dropped - ready.shape[1])
    if resampler:
        yield _to_int16(resampler.flush())[:, dropped:]


class SoundReader:
    """Reads a sound from its start, any number of samples at a time; holds about a second."""

    def __init__(self, sound: Sound) -> None:
        self._blocks = sound_blocks(sound)
        self._held = np.zeros((sound.channels, 0), np.int16)

    def take(self, count: int) -> NDArray[np.int16]:
        """Return the next (C, count) int16 samples, silence past the end."""
        parts, missing = [self._held[:, :count]], count - self._held.shape[1]
        self._held = self._held[:, count:]
        while missing > 0:
            block = next(self._blocks, None)
            if block is None:
                block = np.zeros((len(self._held), missing), np.int16)
            parts.append(block[:, :missing])
            self._held, missing = block[:, missing:], missing - block.shape[1]
        return np.concatenate(parts, axis=1)

    def close(self) -> None:
        """Free the decoder; may be called twice."""
        self._blocks.close()


def _to_int16(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    rounded: NDArray[np.float32] = np.rint(samples * np.float32(32768)).clip(-32768, 32767)
    return rounded.astype(np.int16)
