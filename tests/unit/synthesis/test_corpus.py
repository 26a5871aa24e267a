"""Synthesised speech; what needs the engines skips where Debian's packages are absent."""

import random
import shutil
from itertools import pairwise

import numpy as np
import pytest

from app.models.viseme.phonemes import BILABIALS, PHONEMES, SILENCE
from app.synthesis import corpus
from app.synthesis.corpus import Counts, utterances
from app.synthesis.phones import phones_of
from app.synthesis.texts import drawn_text, sentences
from app.synthesis.utterance import SynthesisError, Utterance, segments_of
from app.synthesis.voices import CASTS

needs_espeak = pytest.mark.skipif(not shutil.which("espeak-ng"), reason="no espeak-ng here")


@pytest.mark.parametrize(
    ("name", "names", "phones"),
    [
        ("a\u026a", "ipa", ("a", "I")),
        ("t\u0283", "ipa", ("t", "S")),
        ("\u00e4", "ipa", ("a",)),
        ("oy", "english", ("O", "I")),
        ("pau", "english", (SILENCE,)),
        ("a1", "romance", ("a",)),
        ("a:", "finnish", ("A",)),
        ("brr", "english", ()),
    ],
)
def test_names_of_sounds(name: str, names: str, phones: tuple[str, ...]) -> None:
    assert phones_of(name, names) == phones  # type: ignore[arg-type]


def test_no_voice_is_trained_on_and_held_out() -> None:
    training, held_out = CASTS["training"], CASTS["held-out"]
    for kind in ("espeak_languages", "espeak_variants", "flite"):
        assert not set(getattr(training, kind)) & set(getattr(held_out, kind))
    assert not {v.name for v in training.festival} & {v.name for v in held_out.festival}


def test_every_voice_has_texts() -> None:
    for cast in CASTS.values():
        languages = (*cast.espeak_languages, *(voice.language for voice in cast.festival))
        assert all(language.split("-")[0] in sentences() for language in languages)


def test_texts_depend_on_the_seed_alone() -> None:
    first, second = (
        [drawn_text("en-gb", random.Random(seed)) for seed in range(20)] for _ in range(2)
    )
    assert first == second
    assert len(set(first)) > 10


def test_segments_leave_no_gaps() -> None:
    segments = segments_of([(0.1, 0.2, ("a", "I")), (0.3, 0.4, ("m",))], 0.5)
    assert [each.phone for each in segments] == ["_", "a", "I", "_", "m", "_"]
    assert segments[0].start_s == 0
    assert segments[-1].end_s == 0.5
    for one, other in pairwise(segments):
        assert one.end_s == pytest.approx(other.start_s)


def level_db(said: Utterance, start_s: float, end_s: float) -> float:
    part = said.samples[int(start_s * 16_000) : int(end_s * 16_000)]
    return float(10 * np.log10(np.mean(part**2) + 1e-9))


@needs_espeak
def test_the_same_seed_says_the_same_in_any_number_of_processes() -> None:
    counts = Counts(espeak=4, flite=0, festival=0)
    alone, again = (utterances("held-out", counts, 7, processes) for processes in (1, 2))
    assert [said.voice for said in alone] == [said.voice for said in again]
    for one, other in zip(alone, again, strict=True):
        assert (one.samples == other.samples).all()
        assert one.segments == other.segments
    others = utterances("held-out", counts, 8, 1)
    assert [said.voice for said in others] != [said.voice for said in alone] or len(
        others[0].samples
    ) != len(alone[0].samples)


@needs_espeak
def test_sounds_are_where_they_are_said_to_be() -> None:
    from app.synthesis.espeak import speak

    said = speak("Papa, a map. A bad pub.", "en-us")
    assert {each.phone for each in said.segments} <= set(PHONEMES)
    stops = [each for each in said.segments if each.phone in BILABIALS - {"m"}]
    vowels = [each for each in said.segments if each.phone in {"A", "{", "V"}]
    assert len(stops) >= 4
    stop = np.median([level_db(said, each.start_s, each.end_s - 0.02) for each in stops])
    vowel = np.median([level_db(said, each.start_s, each.end_s) for each in vowels])
    assert stop < vowel - 10


def test_an_absent_voice_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: object) -> list[Utterance]:
        raise SynthesisError("failed")

    monkeypatch.setattr(corpus, "festival", absent)
    voice = next(voice for voice in CASTS["held-out"].festival if voice.name == "czech_dita")
    with pytest.raises(SynthesisError, match="festvox-czech-dita"):
        corpus._by_festival(voice, 1, "seed")
