"""Short pieces of a speech that comes piece by piece, each with what is heard around it.

N samples, S mel steps.

A frame hears speech from 250 ms before it to 200 ms after it, at most: 17 mel steps and 14 or 15,
each of which hears 25 ms to both sides. So a piece whose
frames shall be those of the whole speech brings `BEFORE_MS` of what came before its first frame,
and `AFTER_MS` of what comes after its last one. Steps lie on one grid from the speech's start,
12.5 ms apart, whatever the pieces.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from app.errors import AudioTooLong, AudioTooShort, BadRequest, UnsupportedMedia
from app.media.loudness import Loudness
from app.media.mel import HOP, mel_levels
from app.media.recording import read_blocks
from app.media.resample import Resampler
from app.timeline import frame_count
from app.values import SPEECH_HZ

BEFORE_MS, AFTER_MS = 252, 200

_HINT = "Send the speech of the frames, and up to {context:g} s around it."


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A piece of speech as the models hear it.

    Attributes:
        levels: (80, S) float32, mel levels in dB.
        first_step: how many steps of the speech come before them.
        gain_db: what brings the piece to one level.
        frames: how many frames it is for.
    """

    levels: NDArray[np.float32]
    first_step: int
    gain_db: float
    frames: int


@dataclass(frozen=True, slots=True)
class Span:
    """Which frames a piece of speech is for, and where its samples begin.

    Attributes:
        start: the first frame; its samples are those from `first_sample` of it on.
        count: how many frames; None for as many as the samples take.
        before_ms: how much earlier than the first frame the samples begin, >= 0.
        fps: frames per second.
    """

    start: int
    count: int | None
    before_ms: float
    fps: Fraction

    def before(self) -> int:
        """Return the samples that come before those of the first frame.

        Raises:
            BadRequest: that would be before the speech's start.
        """
        samples = round(self.before_ms * SPEECH_HZ / 1000)
        if samples > first_sample(self.start, self.fps):
            raise BadRequest(
                "before_ms reaches beyond the start of the speech.",
                "Nothing comes before frame 0: send at most the time of the frame `start`.",
            )
        return samples


def first_sample(frame: int, fps: Fraction) -> int:
    """Return which sample of a speech at 16 kHz is the first of a frame."""
    return round(frame * SPEECH_HZ / fps)


def hear(samples: NDArray[np.float32], span: Span, max_s: float, context_s: float) -> Piece:
    """Return a piece of speech as the models hear it.

    Args:
        samples: (N,) float32 mono in [-1, 1] at 16 kHz.
        span: what they are for.
        max_s: longest speech of the frames.
        context_s: longest speech around it.

    Raises:
        AudioTooShort: there is no speech of the first frame.
        AudioTooLong: over one of the limits.
        BadRequest: see `Span.before`.
    """
    before = span.before()
    speech_s = Fraction(len(samples) - before, SPEECH_HZ)
    if speech_s <= 0:
        raise AudioTooShort(
            "The audio ends before the first frame.", "Send the speech of the frames, too."
        )
    count = span.count or frame_count(speech_s, span.fps)
    hint = _HINT.format(context=context_s)
    if count / span.fps > Fraction(max_s):
        raise AudioTooLong(
            f"{count} frames are more than {max_s:g} s of speech.",
            f"{hint} `frames` says how many.",
        )
    if len(samples) / SPEECH_HZ - float(count / span.fps) > context_s:
        raise AudioTooLong("The audio is longer than its frames and what is heard.", hint)
    start = first_sample(span.start, span.fps) - before
    # Onto the grid of the whole speech: less than a step, which no frame hears with context given.
    aligned = np.pad(samples, (start % HOP, 0), mode="reflect")
    loudness = Loudness()
    loudness.push(samples)
    return Piece(mel_levels(aligned), start // HOP, loudness.gain_db(), count)


def read_chunk(data: bytes, is_raw: bool, max_s: float) -> NDArray[np.float32]:
    """Return a short recording as (N,) float32 mono in [-1, 1] at 16 kHz, silent or not.

    Args:
        data: a whole file as `app.media.recording` reads it; or, if raw, 16-bit samples, mono,
            16 kHz, little-endian.
        is_raw: which of both it is.
        max_s: longest recording; decoding stops there.

    Raises:
        AudioTooLong: it is longer.
        AudioTooShort: there are no samples.
        UnsupportedMedia: see `app.media.recording`; or half a sample.
    """
    samples = _raw(data, max_s) if is_raw else _decoded(data, max_s)
    if not samples.size:
        raise AudioTooShort("The audio holds no samples.", "Send the speech of the frames.")
    return samples


def _raw(data: bytes, max_s: float) -> NDArray[np.float32]:
    if len(data) % 2:
        raise UnsupportedMedia(
            "The audio ends within a sample.", "Send 16-bit samples, two bytes each."
        )
    if len(data) > 2 * SPEECH_HZ * max_s:
        raise AudioTooLong(
            f"The audio is longer than {max_s:g} seconds.", "Send it chunk by chunk."
        )
    return np.frombuffer(data, "<i2").astype(np.float32) / np.float32(32768)


def _decoded(data: bytes, max_s: float) -> NDArray[np.float32]:
    resampler: Resampler | None = None
    parts = [np.zeros((1, 0), np.float32)]
    for block in read_blocks(data, max_s):
        resampler = resampler or Resampler(1, block.rate_hz, SPEECH_HZ)
        parts.append(resampler.push(block.samples.mean(axis=0, keepdims=True, dtype=np.float32)))
    if resampler:
        parts.append(resampler.flush())
    samples: NDArray[np.float32] = np.concatenate(parts, axis=1)[0].clip(-1, 1)
    return samples
