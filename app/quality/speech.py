"""The recordings and the synthetic speech that mouths are judged by."""

import io
import wave
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from app.demo.run import demo_speech
from app.media.mel import scaled
from app.models.viseme.coarticulation import Segment, mouth_track, opening
from app.models.viseme.phonemes import BILABIALS, CONTROLS, PHONEMES, SILENCE, VOWELS
from app.quality.alignment import align
from app.quality.passage import FPS, Floats, Passage, Reference, recording
from app.synthesis.corpus import Counts, utterances
from app.synthesis.espeak import speak
from app.synthesis.utterance import SynthesisError, Utterance
from app.timeline import frame_count
from app.values import SPEECH_HZ

HELD_OUT = Counts(espeak=6, flite=1, festival=1)
"""Utterances by voices that no training heard."""

TRANSCRIPTS: Final = {
    "jfk.flac": (
        "en-us",
        "And so my fellow Americans ask not what your country can do for you "
        "ask what you can do for your country",
    ),
}
"""Recordings whose text is known: language and words."""

OPEN_JAW, CLOSE_JAW = 0.6, 0.32
"""Vowels whose jaw opens at least, or at most, so far are open, or close."""

_JAW = CONTROLS.index("jaw")


def recordings(paths: Sequence[Path]) -> list[Passage]:
    """Return the demo's speech and the recordings.

    Raises:
        AppError: a recording is refused.
        OSError: it cannot be read.
    """
    given = [_with_text(recording(path.name, path.read_bytes())) for path in paths]
    return [recording("demo", demo_speech()), *given]


def _with_text(passage: Passage) -> Passage:
    """Return a recording with its reference, if its text is known and an engine reads it."""
    if passage.name not in TRANSCRIPTS:
        return passage
    try:
        words = words_of(*TRANSCRIPTS[passage.name])
    except SynthesisError:
        return passage
    speech = passage.speech
    segments = align(scaled(speech.levels, speech.gain_db), words)
    return replace(passage, reference=reference_of(segments, passage.num_frames))


def words_of(language: str, text: str) -> list[list[str]]:
    """Return the sounds of each word, as espeak-ng reads it.

    Raises:
        SynthesisError: espeak-ng is not installed.
    """
    words = [speak(word, language).segments for word in text.split()]
    return [[each.phone for each in word if each.phone != SILENCE] for word in words]


def held_out(seed: int, counts: Counts = HELD_OUT) -> list[Passage]:
    """Return synthetic speech of voices and languages that no training heard.

    Raises:
        SynthesisError: an engine or a voice is not installed.
    """
    spoken = utterances("held-out", counts, seed, processes=1)
    return [_passage(f"{number}-{said.voice}", said) for number, said in enumerate(spoken)]


def reference_of(segments: Sequence[Segment], num_frames: int) -> Reference:
    """Return what a right mouth does in sounds whose times are known.

    Args:
        segments: in order, without gaps.
        num_frames: T.
    """
    times = np.arange(num_frames) / float(FPS)
    jaws = {phone: PHONEMES[phone].targets[_JAW] for phone in VOWELS}
    return Reference(
        opening=opening(mouth_track(segments, times)),
        closures=_spans(segments, BILABIALS),
        open_vowels=_spans(segments, {phone for phone in jaws if jaws[phone] >= OPEN_JAW}),
        close_vowels=_spans(segments, {phone for phone in jaws if jaws[phone] <= CLOSE_JAW}),
    )


def _passage(name: str, said: Utterance) -> Passage:
    heard = recording(name.replace("/", "-"), _wav(said))
    frames = frame_count(heard.speech.sound.duration_s, FPS)
    reference = reference_of(said.segments, frames)
    return Passage(heard.name, heard.speech, reference, held_out=True)


def _spans(segments: Sequence[Segment], phones: set[str] | frozenset[str]) -> Floats:
    spans = [(part.start_s, part.end_s) for part in segments if part.phone in phones]
    return np.array(spans, np.float32).reshape(-1, 2)


def _wav(said: Utterance) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(SPEECH_HZ)
        writer.writeframes((said.samples.clip(-1, 1) * 32767).astype("<i2").tobytes())
    return file.getvalue()
