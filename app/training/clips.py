"""Training clips: utterances with pauses between, made worse, as log-mel and mouth controls.

N samples, S mel steps (80 per second), M mel bins (80), C controls (8).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.media.loudness import Loudness
from app.media.mel import STEPS_HZ, mel_levels, scaled
from app.models.viseme.coarticulation import Segment, mouth_track
from app.models.viseme.phonemes import SILENCE
from app.synthesis.utterance import Utterance, faster
from app.training import augmentation
from app.values import SPEECH_HZ

_SPEEDS: Final = tuple(Fraction(percent, 100) for percent in (86, 90, 94, 97, 103, 107, 112, 118))


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A recording and what its mouth does.

    Attributes:
        mel: (80, S) float32 in [-4, 4], at speech's level give or take.
        controls: (S, 8) float32 in [0, 1].
        segments: what is said when.
    """

    mel: NDArray[np.float32]
    controls: NDArray[np.float32]
    segments: tuple[Segment, ...]


def clean_clip(utterance: Utterance) -> Clip:
    """Return an utterance as it is, as a server hears it."""
    return clip_of(utterance.samples, utterance.segments)


def clip_of(
    samples: NDArray[np.float32], segments: Sequence[Segment], gain_db: float = 0.0
) -> Clip:
    """Return a recording brought to speech's level, `gain_db` above it."""
    loudness = Loudness()
    loudness.push(samples)
    mel = scaled(mel_levels(samples), loudness.gain_db() + gain_db)
    times = np.arange(mel.shape[1]) / STEPS_HZ
    return Clip(mel, mouth_track(segments, times), tuple(segments))


def spoken_clip(utterances: Sequence[Utterance], draw: np.random.Generator) -> Clip:
    """Return utterances one after the other, with pauses and breaths, in some bad recording."""
    parts: list[NDArray[np.float32]] = []
    segments: list[Segment] = []
    now = 0
    for utterance in utterances:
        said = (
            faster(utterance, draw.choice(np.array(_SPEEDS))) if draw.random() < 0.6 else utterance
        )
        gap = _gap(draw)
        level = float(np.sqrt(np.mean(said.samples**2)) + 1e-6)
        speech = said.samples * np.float32(0.1 / level * 10 ** (draw.uniform(-4, 4) / 20))
        parts += [gap, speech]
        segments.append(Segment(SILENCE, now / SPEECH_HZ, (now + len(gap)) / SPEECH_HZ))
        now += len(gap)
        shift = now / SPEECH_HZ
        segments += [Segment(s.phone, s.start_s + shift, s.end_s + shift) for s in said.segments]
        now += len(speech)
    parts.append(_gap(draw))
    samples = _worsened(np.concatenate(parts), draw)
    gain_db = float(draw.normal(0, 3.0))
    return clip_of(samples, segments, gain_db)


def wordless_clip(seconds: float, draw: np.random.Generator) -> Clip:
    """Return music, breathing or noise at all levels, over which the mouth stays shut."""
    length = int(seconds * SPEECH_HZ)
    samples = np.zeros(length, np.float32)
    kind = draw.random()
    if kind < 0.5:
        samples += 0.1 * augmentation.music(length, draw)
    elif kind < 0.65:
        samples += 0.1 * augmentation.applause(length, draw)
    elif kind < 0.8:
        samples += 0.05 * augmentation.noise(length, draw)
    else:
        for _ in range(int(seconds)):
            breath = augmentation.breath(draw)
            at = int(draw.integers(0, max(1, length - len(breath))))
            samples[at : at + len(breath)] += 0.05 * breath[: length - at]
    samples = _worsened(samples, draw)
    return clip_of(samples, [Segment(SILENCE, 0, seconds)], float(draw.uniform(-25, 3)))


def _gap(draw: np.random.Generator) -> NDArray[np.float32]:
    """Return a pause, at times with a breath in it."""
    gap = np.zeros(int(SPEECH_HZ * draw.choice([0.05, 0.3, 0.7, 1.2]) * draw.uniform(0.7, 1.3)))
    if draw.random() < 0.4 and len(gap) > SPEECH_HZ // 5:
        breath = augmentation.breath(draw) * 0.1 * 10 ** (-draw.uniform(8, 30) / 20)
        room = gap[SPEECH_HZ // 20 :]
        room[: len(breath)] += breath[: len(room)]
    return gap.astype(np.float32)


def _worsened(samples: NDArray[np.float32], draw: np.random.Generator) -> NDArray[np.float32]:
    """Return a recording after a room, a microphone, company, clipping and a codec, or some."""
    level = float(np.sqrt(np.mean(samples**2)) + 1e-6)
    if draw.random() < 0.5:
        samples = augmentation.reverberant(samples, draw)
    if draw.random() < 0.75:
        samples = augmentation.equalised(samples, draw)
    if draw.random() < 0.8:
        floor_db = draw.uniform(8, 50)
        samples = samples + augmentation.noise(len(samples), draw) * level * 10 ** (-floor_db / 20)
    if draw.random() < 0.15:
        below_db = draw.uniform(8, 25)
        samples = samples + augmentation.music(len(samples), draw) * level * 10 ** (-below_db / 20)
    if draw.random() < 0.12:
        below_db = draw.uniform(5, 25)
        crowd = augmentation.applause(len(samples), draw)
        samples = samples + crowd * level * 10 ** (-below_db / 20)
    samples = np.asarray(samples, np.float32)
    if draw.random() < 0.08:
        peak = np.float32(np.abs(samples).max() * draw.uniform(0.3, 0.7))
        samples = samples.clip(-peak, peak)
    if draw.random() < 0.2:
        samples = augmentation.coded(samples, draw)
    return samples
