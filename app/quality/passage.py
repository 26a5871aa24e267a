"""Speech that mouths are judged by, and what a right mouth does in it.

T video frames, S mel steps (80 per second), N spans.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from app.media.audio import decode_speech
from app.media.config import MediaConfig
from app.media.mel import STEPS_HZ
from app.timeline import frame_count
from app.values import Speech

FPS = Fraction(25)

Floats = NDArray[np.float32]

LONGEST_S = 12
"""Of longer recordings so much is rendered."""

SILENT_DB = -30.0
"""Mel levels of speech brought to one level lie below it in silence; vowels reach about -5."""

CLICK_S = 0.03
"""Sound that is shorter than this does not end a pause."""


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """What a right mouth does, by the phonemes of the speech.

    Attributes:
        opening: (T,) float32, how far it is open in each frame; its unit does not matter.
        closures: (N, 2) float32, start and end of each p, b and m, s.
        open_vowels: (N, 2) float32, of each vowel with a low tongue, s.
        close_vowels: (N, 2) float32, of each vowel with a high tongue, s.
    """

    opening: Floats
    closures: Floats
    open_vowels: Floats
    close_vowels: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Passage:
    """A stretch of speech.

    Attributes:
        name: of the recording.
        speech: as the models hear it.
        reference: by its phonemes, if they are known.
        held_out: whether a synthetic voice speaks that no training heard.
    """

    name: str
    speech: Speech
    reference: Reference | None = None
    held_out: bool = False

    @property
    def num_frames(self) -> int:
        """Return T."""
        return frame_count(min(self.speech.sound.duration_s, Fraction(LONGEST_S)), FPS)

    def pauses(self) -> Floats:
        """Return start and end of the silences within, (N, 2) float32 s, however short."""
        levels = (self.speech.levels + np.float32(self.speech.gain_db)).max(axis=0)
        levels = levels[: round(float(self.num_frames / FPS) * STEPS_HZ)]
        return silences(levels > SILENT_DB, STEPS_HZ)


def recording(name: str, audio: bytes, reference: Reference | None = None) -> Passage:
    """Return the passage that a sound file holds.

    Raises:
        AppError: the file is refused.
    """
    return Passage(name, decode_speech(audio, MediaConfig()), reference)


def silences(sounding: NDArray[np.bool_], rate_hz: int) -> Floats:
    """Return start and end of the stretches without sound, (N, 2) float32 s.

    Args:
        sounding: (S,) bool, whether there is sound; clicks are passed over.
        rate_hz: of `sounding`.
    """
    heard = sounding.copy()
    for first, last in runs(heard):
        if last - first < CLICK_S * rate_hz:
            heard[first:last] = False
    return np.array(list(runs(~heard)), np.float32).reshape(-1, 2) / np.float32(rate_hz)


def runs(flags: NDArray[np.bool_]) -> Iterable[tuple[int, int]]:
    """Yield first and past-the-last index of each stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
