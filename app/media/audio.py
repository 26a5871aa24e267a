"""Recordings: bytes to the samples that the models hear and the sound that people hear.

C audio channels, N samples.
"""

import numpy as np
from numpy.typing import NDArray

from app.errors import AudioSilent, AudioTooShort, BadRequest
from app.media.config import MediaConfig
from app.media.recording import Block, read_blocks
from app.media.resample import Resampler
from app.values import SPEECH_HZ, Sound, Speech

# Of AAC's rates only these have frames (1024 samples) shorter than a picture at 25 fps with room
# to spare; at 16 kHz a frame is 64 ms, and sound could end that much off the picture.
_SOUND_RATES_HZ = (44_100, 48_000)
_OTHER_SOUND_HZ = 48_000


def decode_speech(data: bytes, config: MediaConfig) -> Speech:
    """Return the recording's first sound track.

    The models' samples are the mean of the channels at 16 kHz. The sound keeps one or two
    channels, and rates of 44.1 and 48 kHz; other rates become 48 kHz, and more than two channels
    are mixed to one, because their layout is seldom stated. Nothing moves in time. Samples beyond
    full scale are clipped.

    Args:
        data: a whole WAV or FLAC file; a WAV of unstated length, as streaming tools write it,
            ends where the bytes end.
        config: limits of seconds and the level of silence.

    Raises:
        BadRequest: no bytes.
        UnsupportedMedia: another format, no sound track, samples that are not numbers, or a file
            that is damaged or ends early.
        AudioTooLong: over `config.max_audio_s`; the rest is not decoded.
        AudioTooShort: under `config.min_audio_s`.
        AudioSilent: no sample reaches `config.silence_dbfs`.
    """
    if not data:
        raise BadRequest("The audio is empty.", "Attach a recording as the part named audio.")
    tracks: _Tracks | None = None
    for block in read_blocks(data, config.max_audio_s):
        tracks = tracks or _Tracks(block)
        tracks.add(block)
    if tracks is None or tracks.duration_s < config.min_audio_s:
        raise AudioTooShort(
            f"The audio is shorter than {config.min_audio_s * 1000:g} ms.",
            "Send a recording with speech in it.",
        )
    speech = tracks.speech()
    if np.abs(speech.samples).max() < 10 ** (config.silence_dbfs / 20):
        raise AudioSilent(
            f"The audio stays below {config.silence_dbfs:g} dBFS.",
            "Check the microphone, and that the left and right channel do not cancel out.",
        )
    return speech


class _Tracks:
    """Both forms of one recording while it is decoded; the decoded blocks are not kept."""

    def __init__(self, first: Block) -> None:
        channels, rate = len(first.samples), first.rate_hz
        self._rate_hz = rate
        self._sound_hz = rate if rate in _SOUND_RATES_HZ else _OTHER_SOUND_HZ
        self._sound_channels = channels if channels <= 2 else 1
        self._to_speech = Resampler(1, rate, SPEECH_HZ)
        self._to_sound = Resampler(self._sound_channels, rate, self._sound_hz)
        self._speech: list[NDArray[np.float32]] = []
        self._sound: list[NDArray[np.int16]] = []
        self._count = 0

    @property
    def duration_s(self) -> float:
        return self._count / self._rate_hz

    def add(self, block: Block) -> None:
        self._count += block.samples.shape[1]
        mono = block.samples.mean(axis=0, keepdims=True, dtype=np.float32)
        heard = block.samples if self._sound_channels == len(block.samples) else mono
        self._speech.append(self._to_speech.push(mono)[0])
        self._sound.append(_to_int16(self._to_sound.push(heard)))

    def speech(self) -> Speech:
        self._speech.append(self._to_speech.flush()[0])
        self._sound.append(_to_int16(self._to_sound.flush()))
        samples = np.concatenate(self._speech).clip(-1, 1)
        return Speech(samples, Sound(np.concatenate(self._sound, axis=1), self._sound_hz))


def _to_int16(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    rounded: NDArray[np.float32] = np.rint(samples * np.float32(32768)).clip(-32768, 32767)
    return rounded.astype(np.int16)
