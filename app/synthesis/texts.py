"""What is said: sentences of our own, and their words in a random order."""

import random
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final

_SHARE_OF_SENTENCES: Final = 0.35
_WORDS: Final = (4, 9)
_STOPS: Final = ".,:;!?"


@lru_cache(maxsize=1)
def sentences() -> MappingProxyType[str, tuple[str, ...]]:
    """Return the sentences by language."""
    found: dict[str, list[str]] = {}
    text = files("app.synthesis").joinpath("sentences.txt").read_text("utf-8")
    for line in text.splitlines():
        if not line.startswith("#"):
            language, _, sentence = line.partition("\t")
            found.setdefault(language, []).append(sentence)
    return MappingProxyType({language: tuple(said) for language, said in found.items()})


def drawn_text(language: str, draw: random.Random) -> str:
    """Return a sentence, or some words of several with a pause between.

    Args:
        language: of `sentences`, or with an accent, such as "en-gb-scotland".
        draw: the source of chance.
    """
    known = sentences()
    said = known.get(language) or known[language.split("-")[0]]
    if draw.random() < _SHARE_OF_SENTENCES:
        return draw.choice(said)
    words = [word.strip(_STOPS) for sentence in said for word in sentence.split()]
    count = draw.randint(*_WORDS)
    chosen = [draw.choice(words) for _ in range(count)]
    if draw.random() < 0.6:
        chosen[draw.randrange(1, count - 1)] += ","
    return " ".join(chosen) + "."
