"""What is said in a recording whose words are known, sound by sound."""

from app.media.mel import scaled
from app.models.viseme.coarticulation import Segment
from app.models.viseme.phonemes import SILENCE
from app.quality.alignment import align
from app.synthesis.espeak import speak
from app.values import Speech

VOICE = "en-us"
"""Transcripts are English."""


def segments_of(speech: Speech, text: str) -> tuple[Segment, ...]:
    """Return when each sound of a text is said in a recording, without gaps.

    Args:
        speech: the recording.
        text: its words, in English.

    Raises:
        SynthesisError: espeak-ng, which knows how words are pronounced, is not installed.
    """
    words = [_sounds(word) for word in text.split()]
    return align(scaled(speech.levels, speech.gain_db), [word for word in words if word])


def _sounds(word: str) -> list[str]:
    spoken = speak(word, VOICE).segments
    return [segment.phone for segment in spoken if segment.phone != SILENCE]
