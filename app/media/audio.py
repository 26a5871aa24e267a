"""Recordings: bytes to what the models hear of them, checked for speech.

N audio samples, S mel steps.
"""

from collections.abc import Callable
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from app.errors import AudioSilent, AudioTooShort, BadRequest
from app.media.config import MediaConfig
from app.media.loudness import Loudness
from app.media.mel import LevelMeter
from app.media.recording import Block, read_blocks
from app.media.resample import Resampler
from app.media.sound import sound_of
from app.values import SPEECH_HZ, Speech


def decode_speech(
    data: bytes, config: MediaConfig, is_left: Callable[[], bool] = lambda: False
) -> Speech:
    """Return the file's first sound track as the models need it.

    What the models hear is the mean of the channels at 16 kHz. Nothing moves in time. Samples
    are not kept: ten minutes take 15 MB, the mel levels.

    Args:
        data: a whole file of sound, or of video with sound, see `app.media.recording`.
        config: limits of seconds and the level of silence.
        is_left: asked again and again whether nobody waits for the speech any more.

    Raises:
        Abandoned: `is_left` said so.
        BadRequest: no bytes.
        UnsupportedMedia: another format, no sound track, samples that are not numbers, too
            many channels, or a file that is damaged or ends early.
        AudioTooLong: over `config.max_audio_s`, or over the samples that stereo of 192 kHz has
            in that time; the rest is not decoded.
        AudioTooShort: under `config.min_audio_s`.
        AudioSilent: no sample reaches `config.silence_dbfs`.
    """
    if not data:
        raise BadRequest("The audio is empty.", "Attach a recording as the part named audio.")
    blocks = read_blocks(data, config.max_audio_s, is_left)
    first = next(blocks, None)
    if first is None:
        raise _too_short(config)
    ear, count = Ear(first.rate_hz), 0
    for block in chain([first], blocks):
        count += block.samples.shape[1]
        ear.hear(block)
    if count < config.min_audio_s * first.rate_hz:
        raise _too_short(config)
    ear.rest()
    levels, loudness = ear.measured()
    if loudness.peak < 10 ** (config.silence_dbfs / 20):
        raise AudioSilent(
            f"The audio stays below {config.silence_dbfs:g} dBFS.",
            "Check the microphone, and that the left and right channel do not cancel out.",
        )
    sound = sound_of(data, count, first.rate_hz, len(first.samples))
    return Speech(levels, loudness.gain_db(), sound)


class Ear:
    """What the models hear of a recording while it is decoded.

    Args:
        rate_hz: of the recording's blocks.
    """

    def __init__(self, rate_hz: int) -> None:
        self._resampler = Resampler(1, rate_hz, SPEECH_HZ)
        self._levels, self._loudness = LevelMeter(), Loudness()

    def hear(self, block: Block) -> NDArray[np.float32]:
        """Take a block and return the samples that it made ready: (N,) float32 mono, 16 kHz."""
        mono = block.samples.mean(axis=0, keepdims=True, dtype=np.float32)
        return self._measure(self._resampler.push(mono))

    def rest(self) -> NDArray[np.float32]:
        """Take the recording's end and return its last samples."""
        return self._measure(self._resampler.flush())

    def measured(self) -> tuple[NDArray[np.float32], Loudness]:
        """Return the mel levels of all that was heard, (80, S) float32 dB, and its loudness."""
        return self._levels.finish(), self._loudness

    def _measure(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        clipped: NDArray[np.float32] = samples[0].clip(-1, 1)
        self._levels.push(clipped)
        self._loudness.push(clipped)
        return clipped


def _too_short(config: MediaConfig) -> AudioTooShort:
    return AudioTooShort(
        f"The audio is shorter than {config.min_audio_s * 1000:g} ms.",
        "Send a recording with speech in it.",
    )
