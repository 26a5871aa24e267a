"""Speech and what is said in it, sound by sound."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from app.media.resample import Resampler
from app.models.viseme.coarticulation import Segment
from app.models.viseme.phonemes import SILENCE
from app.values import SPEECH_HZ


class SynthesisError(Exception):
    """An engine is not installed, or gave no speech."""


@dataclass(frozen=True, slots=True, eq=False)
class Utterance:
    """A synthesised sentence.

    Attributes:
        samples: (N,) float32 mono in [-1, 1] at 16 kHz.
        segments: its sounds, in order, without gaps, from 0 to its end.
        voice: the engine's name and the voice's, such as "flite/slt".
    """

    samples: NDArray[np.float32]
    segments: tuple[Segment, ...]
    voice: str

    @property
    def duration_s(self) -> float:
        """Return how long it is, in seconds."""
        return len(self.samples) / SPEECH_HZ


def at_16_khz(samples: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
    """Return (N,) float32 mono samples brought to 16 kHz."""
    if rate_hz == SPEECH_HZ:
        return samples
    resampler = Resampler(1, rate_hz, SPEECH_HZ)
    parts = [resampler.push(samples[None]), resampler.flush()]
    return np.asarray(np.concatenate(parts, axis=1)[0], np.float32)


def segments_of(
    timed: Iterable[tuple[float, float, tuple[str, ...]]], end_s: float
) -> tuple[Segment, ...]:
    """Return segments without gaps from 0 to `end_s`; sounds of one name share its time.

    Args:
        timed: start and end in seconds, in order, and the sounds, as often as they come; what
            lies between is silence.
        end_s: of the last.
    """
    segments: list[Segment] = []
    now = 0.0
    for start, stop, phones in timed:
        start, stop = max(start, now), min(stop, end_s)
        if start - now > 1e-4:
            segments.append(Segment(SILENCE, now, start))
            now = start
        if stop - now < 1e-3 or not phones:
            continue
        share = (stop - now) / len(phones)
        for phone in phones:
            segments.append(Segment(phone, now, now + share))
            now += share
    if end_s - now > 1e-4:
        segments.append(Segment(SILENCE, now, end_s))
    return tuple(segments)


def faster(utterance: Utterance, factor: Fraction) -> Utterance:
    """Return an utterance played `factor` times as fast, its pitch and formants higher by it."""
    samples = at_16_khz(utterance.samples, round(SPEECH_HZ * factor))
    pace = float(factor)
    segments = tuple(
        Segment(each.phone, each.start_s / pace, each.end_s / pace) for each in utterance.segments
    )
    return Utterance(samples, segments, utterance.voice)
