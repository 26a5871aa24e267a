"""Who speaks: the voices that nets are trained on, and those that only judge them."""

from dataclasses import dataclass
from typing import Final, Literal

from app.synthesis.phones import PhoneSet

Split = Literal["training", "held-out"]


@dataclass(frozen=True, slots=True)
class FestivalVoice:
    """A voice of Festival's.

    Attributes:
        name: as Festival has it.
        language: of `sentences.txt`.
        names: its phone set.
        encoding: of texts.
        package: Debian's, that brings it.
    """

    name: str
    language: str
    names: PhoneSet
    encoding: str
    package: str


@dataclass(frozen=True, slots=True)
class Cast:
    """The voices of one split.

    Attributes:
        espeak_languages: of espeak-ng, accents included.
        espeak_variants: speakers of espeak-ng; "" is its own.
        flite: voices of flite.
        festival: voices of Festival.
    """

    espeak_languages: tuple[str, ...]
    espeak_variants: tuple[str, ...]
    flite: tuple[str, ...]
    festival: tuple[FestivalVoice, ...]


CASTS: Final[dict[Split, Cast]] = {
    "training": Cast(
        (
            *("en-us", "en", "en-gb-scotland", "en-us", "en", "de", "es", "es-419", "pt"),
            *(
                "pt-br",
                "nl",
                "pl",
                "cs",
                "ru",
                "cmn-latn-pinyin",
                "cmn-latn-pinyin",
                "hi",
                "sv",
                "fi",
                "hu",
                "ja",
                "ko",
            ),
            *("vi", "id", "ar", "ro", "ca"),
        ),
        (
            *("", "f1", "f2", "f4", "f5", "m1", "m2", "m3", "m4", "m6", "m7", "m8", "klatt"),
            *("klatt2", "klatt4", "klatt6", "Andy", "Annie", "Alicia", "steph", "Denis", "Diogo"),
            *("Michael", "Lee", "linda", "Nguyen", "john", "paul", "victor", "belinda"),
        ),
        ("slt", "rms", "kal16"),
        (
            FestivalVoice("kal_diphone", "en", "english", "utf-8", "festvox-kallpc16k"),
            FestivalVoice("ked_diphone", "en", "english", "utf-8", "festvox-kdlpc16k"),
            FestivalVoice("cmu_us_slt_arctic_hts", "en", "english", "utf-8", "festvox-us-slt-hts"),
            FestivalVoice("czech_krb", "cs", "czech", "iso-8859-2", "festvox-czech-krb"),
            FestivalVoice("czech_machac", "cs", "czech", "iso-8859-2", "festvox-czech-machac"),
            FestivalVoice("czech_ph", "cs", "czech", "iso-8859-2", "festvox-czech-ph"),
            FestivalVoice("suo_fi_lj_diphone", "fi", "finnish", "latin-1", "festvox-suopuhe-lj"),
            FestivalVoice("hy_fi_mv_diphone", "fi", "finnish", "latin-1", "festvox-suopuhe-mv"),
            FestivalVoice("upc_ca_ona_hts", "ca", "romance", "latin-1", "festvox-ca-ona-hts"),
            FestivalVoice("msu_ru_nsh_clunits", "ru", "russian", "utf-8", "festvox-ru"),
        ),
    ),
    "held-out": Cast(
        ("it", "fr", "tr", "el", "sw"),
        ("f3", "m5", "klatt3", "klatt5", "Mario", "anika", "Gene"),
        ("awb",),
        (
            FestivalVoice("lp_diphone", "it", "romance", "latin-1", "festvox-italp16k"),
            FestivalVoice("pc_diphone", "it", "romance", "latin-1", "festvox-itapc16k"),
            FestivalVoice("czech_dita", "cs", "czech", "iso-8859-2", "festvox-czech-dita"),
        ),
    ),
}
"""Voices of each split; no voice is in both, and the held-out languages of espeak-ng neither."""
