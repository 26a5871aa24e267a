"""The recordings and the synthetic speech that mouths are judged by."""

import io
import wave
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from app.demo.run import demo_speech
from app.models.viseme.coarticulation import Segment, mouth_track, opening
from app.models.viseme.phonemes import BILABIALS, CONTROLS, PHONEMES, VOWELS
from app.quality.passage import FPS, Floats, Passage, Reference, recording
from app.quality.transcript import segments_of
from app.synthesis.corpus import Counts, utterances
from app.synthesis.utterance import Utterance
from app.timeline import frame_count
from app.values import SPEECH_HZ

HELD_OUT = Counts(espeak=6, flite=1, festival=1)
"""Utterances by voices that no training heard."""

OPEN_JAW, CLOSE_JAW = 0.6, 0.32
"""Vowels whose jaw opens at least, or at most, so far are open, or close."""

_JAW = CONTROLS.index("jaw")


def recordings(paths: Sequence[Path], texts: Mapping[str, str]) -> list[Passage]:
    """Return the demo's speech and the recordings.

    Args:
        paths: of the recordings.
        texts: what is said in some of them, by their file's name.

    Raises:
        AppError: a recording is refused.
        OSError: it cannot be read.
        SynthesisError: there are texts, and espeak-ng is not installed.
    """
    given = [recording(path.name, path.read_bytes()) for path in paths]
    return [recording("demo", demo_speech()), *(_told(each, texts) for each in given)]


def held_out(seed: int) -> list[Passage]:
    """Return synthetic speech of voices and languages that no training heard.

    Raises:
        SynthesisError: an engine or a voice is not installed.
    """
    spoken = utterances("held-out", HELD_OUT, seed, processes=1)
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


def _told(heard: Passage, texts: Mapping[str, str]) -> Passage:
    """Return a recording with its reference, if its words are known."""
    if heard.name not in texts:
        return heard
    segments = segments_of(heard.speech, texts[heard.name])
    return replace(heard, reference=reference_of(segments, heard.num_frames))


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
