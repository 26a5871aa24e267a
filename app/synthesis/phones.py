"""The names that engines give to sounds, in the X-SAMPA of `app.models.viseme.phonemes`."""

import unicodedata
from functools import lru_cache
from importlib.resources import files
from typing import Literal

PhoneSet = Literal["ipa", "english", "romance", "czech", "finnish", "russian"]


@lru_cache(maxsize=1)
def _table() -> dict[tuple[str, str], tuple[str, ...]]:
    text = files("app.synthesis").joinpath("phones.tsv").read_text("utf-8")
    rows = (line.split("\t") for line in text.splitlines() if not line.startswith("#\t"))
    return {
        (names, name): tuple(phones.split())
        for names, name, phones in (row for row in rows if len(row) == 3)
        if not names.startswith("#")
    }


def phones_of(name: str, names: PhoneSet) -> tuple[str, ...]:
    """Return the sounds of a phone set's name; of one that it lacks, or has no sound, nothing.

    Args:
        name: such as "oy", or for IPA a whole diphthong with its marks.
        names: the set.
    """
    if names == "ipa":
        return tuple(phone for letter in name for phone in _of_letter(letter))
    for form in (name, name.rstrip("1:"), name.lower()):
        if phones := _table().get((names, form)):
            return phones
    return ()


def _of_letter(letter: str) -> tuple[str, ...]:
    """Return the sounds of a letter of IPA; marks count for nothing, with or without a letter."""
    plain = unicodedata.normalize("NFD", letter)[0]
    return _table().get(("ipa", letter)) or _table().get(("ipa", plain), ())
