"""Utterances by the hundred, of one split's voices, the same for the same seed."""

import random
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

from app.synthesis.espeak import speak
from app.synthesis.festival import festival, flite
from app.synthesis.texts import drawn_text
from app.synthesis.utterance import SynthesisError, Utterance
from app.synthesis.voices import CASTS, FestivalVoice, Split

_BATCH = 20
"""Texts of one job."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many utterances each engine contributes.

    Attributes:
        espeak: of espeak-ng, all voices together.
        flite: of each voice of flite.
        festival: of each voice of Festival.
    """

    espeak: int
    flite: int
    festival: int


def utterances(split: Split, counts: Counts, seed: int, processes: int = 2) -> list[Utterance]:
    """Return what a split's voices say, in an order that the seed alone decides.

    Raises:
        SynthesisError: an engine or a voice is not installed.
    """
    # espeak-ng's voice depends on what it said before: each job has a process of its own.
    context = get_context("spawn")
    with ProcessPoolExecutor(processes, context, max_tasks_per_child=1) as pool:
        made = list(pool.map(_done, _jobs(split, counts, seed)))
    return [utterance for some in made for utterance in some]


def _done(job: Callable[[], list[Utterance]]) -> list[Utterance]:
    return job()


def _jobs(split: Split, counts: Counts, seed: int) -> list[Callable[[], list[Utterance]]]:
    cast = CASTS[split]
    jobs: list[Callable[[], list[Utterance]]] = []
    for start in range(0, counts.espeak, _BATCH):
        some = min(_BATCH, counts.espeak - start)
        jobs.append(partial(_by_espeak, split, some, f"{seed} espeak {start}"))
    for voice in cast.flite:
        jobs += [
            partial(_by_flite, voice, min(_BATCH, counts.flite - start), f"{seed} {voice} {start}")
            for start in range(0, counts.flite, _BATCH)
        ]
    for other in cast.festival:
        for start in range(0, counts.festival, _BATCH):
            some = min(_BATCH, counts.festival - start)
            jobs.append(partial(_by_festival, other, some, f"{seed} {other.name} {start}"))
    return jobs


def _by_espeak(split: Split, count: int, seed: str) -> list[Utterance]:
    cast, draw, made = CASTS[split], random.Random(seed), list[Utterance]()
    while len(made) < count:
        language, variant = draw.choice(cast.espeak_languages), draw.choice(cast.espeak_variants)
        voice = f"{language}+{variant}" if variant else language
        text = drawn_text(language, draw)
        pace, pitch, sway = draw.randint(115, 220), draw.randint(20, 80), draw.randint(20, 80)
        made.append(speak(text, voice, pace, pitch, sway))
    return made


def _by_flite(voice: str, count: int, seed: str) -> list[Utterance]:
    draw = random.Random(seed)
    return [flite(drawn_text("en", draw), voice, draw.uniform(0.85, 1.35)) for _ in range(count)]


def _by_festival(voice: FestivalVoice, count: int, seed: str) -> list[Utterance]:
    draw = random.Random(seed)
    texts = _told(voice, count, draw)
    stretch = draw.uniform(0.9, 1.25)
    try:
        made = festival(texts, voice.name, voice.names, voice.encoding, stretch)
    except SynthesisError as error:
        hint = f"apt-get install festival {voice.package}"
        raise SynthesisError(f"no speech by {voice.name} ({hint}): {error}") from error
    if not made:
        raise SynthesisError(f"Festival's {voice.name} says nothing")
    return made


def _told(voice: FestivalVoice, count: int, draw: random.Random) -> Sequence[str]:
    return [drawn_text(voice.language, draw) for _ in range(count)]
