"""What the mouth does for each sound of speech: targets of the eight controls, and their weight.

Sounds are named in X-SAMPA. Of vowels, `jaw` follows the height and `pucker`, `funnel` and
`stretch` follow rounding and backness in the IPA's vowel chart (Handbook of the IPA, 1999).
Consonants fall into the classes that lip readers tell apart, as in MPEG-4's visemes (ISO/IEC
14496-2, annex C) and in Cohen and Massaro, "Modeling coarticulation in synthetic visual speech",
1993. The numbers are our own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

CONTROLS: Final = ("jaw", "close", "pucker", "funnel", "stretch", "upper", "lower", "tongue")
"""What a mouth is told, each in [0, 1]; zeros are a mouth at rest, its lips touching.

- jaw: opens the jaw, and with it the lips; 1 is a wide open vowel.
- close: brings the lips together whatever the jaw does; 1 presses them shut (p, b, m).
- pucker: draws the corners in and the lips forward (u, w, y).
- funnel: rounds the lips apart from each other (o, sh).
- stretch: draws the corners outwards (i, e, s).
- upper: raises the upper lip so that the upper teeth show.
- lower: drops the lower lip so that the lower teeth show. With f and v it is 0 and `upper` is
  not, over a hardly open jaw: the lower lip touches the upper teeth.
- tongue: brings the tongue's tip up behind or between the teeth (th, l; less for t, d, n).
"""

GAP_OF: Final = {"jaw": 1.0, "funnel": 0.38, "pucker": 0.08, "upper": 0.2, "lower": 0.25}
"""How far each control alone parts the lips, a jaw's widest gap being 1; `rig` draws it so."""

JAW_GAP: Final = 0.17
"""That widest gap of a mouth of usual size, as a share of the outer eye corners' distance."""

SILENCE: Final = "_"

VOWELS: Final = frozenset(
    ["a", "A", "Q", "{", "E", "3", "@", "V", "O", "o", "e", "2", "9", "8"]
) | {
    *("6", "7", "I", "i", "Y", "y", "U", "u", "M", "1", "}"),
}
"""All vowels of `PHONEMES`."""

BILABIALS: Final = frozenset(["p", "b", "m"])
"""Sounds that no open mouth can make."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A sound's place in the blend.

    Attributes:
        targets: of `CONTROLS`, each in [0, 1].
        strengths: how far each overrules its neighbours', > 0; those of a vowel's jaw are 1.
    """

    targets: tuple[float, ...]
    strengths: tuple[float, ...]


_Strengths = Mapping[str, float]

# Strengths per class of sounds: "all" for those that are not named.
_VOWEL: _Strengths = {"all": 1.0}
_BILABIAL: _Strengths = {"all": 0.3, "jaw": 2.0, "close": 25.0, "upper": 0.8, "lower": 0.8}
_LABIODENTAL: _Strengths = {"all": 1.0, "jaw": 5.0, "funnel": 4.0, "upper": 4.0, "lower": 4.0}
_SIBILANT: _Strengths = {"all": 0.7, "jaw": 3.0, "upper": 1.5, "lower": 1.5}
_ROUNDED: _Strengths = {"all": 1.0, "jaw": 3.0, "funnel": 2.5, "pucker": 1.5}
_TIP: _Strengths = {"all": 0.3, "jaw": 1.2, "tongue": 2.0}
_DENTAL: _Strengths = {"all": 0.5, "jaw": 2.0, "tongue": 4.0}
_GLIDE: _Strengths = {"all": 0.8, "jaw": 1.5, "pucker": 2.0, "stretch": 1.2}
_BACK: _Strengths = {"all": 0.15, "jaw": 0.4}
_BREATH: _Strengths = {"all": 0.05}
_REST: _Strengths = {"all": 3.0, "pucker": 0.6, "stretch": 0.6}


def _shape(strengths: _Strengths, **targets: float) -> Shape:
    return Shape(
        tuple(targets.get(name, 0.0) for name in CONTROLS),
        tuple(strengths.get(name, strengths["all"]) for name in CONTROLS),
    )


PHONEMES: Final[Mapping[str, Shape]] = MappingProxyType(
    {
        SILENCE: _shape(_REST),
        # Open to close vowels.
        "a": _shape(_VOWEL, jaw=0.85, stretch=0.15, lower=0.15),
        "A": _shape(_VOWEL, jaw=0.90, lower=0.10),
        "Q": _shape(_VOWEL, jaw=0.80, funnel=0.40),
        "{": _shape(_VOWEL, jaw=0.78, stretch=0.30, upper=0.15, lower=0.20),
        "6": _shape(_VOWEL, jaw=0.65, lower=0.10),
        "V": _shape(_VOWEL, jaw=0.62, lower=0.10),
        "E": _shape(_VOWEL, jaw=0.60, stretch=0.35, upper=0.10, lower=0.20),
        "9": _shape(_VOWEL, jaw=0.52, pucker=0.30, funnel=0.35),
        "O": _shape(_VOWEL, jaw=0.60, pucker=0.10, funnel=0.60),
        "3": _shape(_VOWEL, jaw=0.45, funnel=0.15),
        "@": _shape(_VOWEL, jaw=0.36),
        "8": _shape(_VOWEL, jaw=0.35, pucker=0.40, funnel=0.30),
        "7": _shape(_VOWEL, jaw=0.40),
        "e": _shape(_VOWEL, jaw=0.42, stretch=0.55, upper=0.10, lower=0.15),
        "2": _shape(_VOWEL, jaw=0.38, pucker=0.50, funnel=0.30),
        "o": _shape(_VOWEL, jaw=0.42, pucker=0.35, funnel=0.60),
        "I": _shape(_VOWEL, jaw=0.32, stretch=0.45, upper=0.10, lower=0.10),
        "Y": _shape(_VOWEL, jaw=0.28, pucker=0.65, funnel=0.20),
        "U": _shape(_VOWEL, jaw=0.28, pucker=0.55, funnel=0.30),
        "i": _shape(_VOWEL, jaw=0.22, stretch=0.75, upper=0.15, lower=0.15),
        "1": _shape(_VOWEL, jaw=0.26, stretch=0.30),
        "M": _shape(_VOWEL, jaw=0.24, stretch=0.15),
        "y": _shape(_VOWEL, jaw=0.20, pucker=0.85, funnel=0.15),
        "}": _shape(_VOWEL, jaw=0.22, pucker=0.70, funnel=0.15),
        "u": _shape(_VOWEL, jaw=0.20, pucker=0.90, funnel=0.20),
        # Lips that meet, lips at the teeth, lips that come near each other.
        "p": _shape(_BILABIAL, jaw=0.08, close=1.0),
        "b": _shape(_BILABIAL, jaw=0.08, close=1.0),
        "m": _shape(_BILABIAL, jaw=0.06, close=1.0),
        "f": _shape(_LABIODENTAL, jaw=0.09, upper=0.30),
        "v": _shape(_LABIODENTAL, jaw=0.09, upper=0.30),
        "B": _shape(_GLIDE, jaw=0.15, close=0.3),
        # Teeth together.
        "s": _shape(_SIBILANT, jaw=0.12, stretch=0.35, upper=0.20, lower=0.30, tongue=0.1),
        "z": _shape(_SIBILANT, jaw=0.13, stretch=0.35, upper=0.20, lower=0.30, tongue=0.1),
        "S": _shape(_ROUNDED, jaw=0.15, pucker=0.25, funnel=0.70, upper=0.25, lower=0.25),
        "Z": _shape(_ROUNDED, jaw=0.16, pucker=0.25, funnel=0.65, upper=0.25, lower=0.25),
        # The tongue's tip.
        "t": _shape(_TIP, jaw=0.18, stretch=0.20, tongue=0.4),
        "d": _shape(_TIP, jaw=0.20, stretch=0.20, tongue=0.4),
        "n": _shape(_TIP, jaw=0.24, stretch=0.15, tongue=0.4),
        "l": _shape(_TIP, jaw=0.32, stretch=0.10, tongue=0.8),
        "r": _shape(_TIP, jaw=0.28, tongue=0.4),
        "T": _shape(_DENTAL, jaw=0.22, stretch=0.15, lower=0.15, tongue=1.0),
        "D": _shape(_DENTAL, jaw=0.24, stretch=0.15, lower=0.15, tongue=0.9),
        # Glides; X-SAMPA's r\\ is English r.
        "w": _shape(_GLIDE, jaw=0.15, pucker=0.90, funnel=0.20),
        "j": _shape(_GLIDE, jaw=0.20, stretch=0.55),
        "r\\": _shape(_GLIDE, jaw=0.26, pucker=0.35, funnel=0.40),
        # What happens behind the lips.
        "k": _shape(_BACK, jaw=0.28),
        "g": _shape(_BACK, jaw=0.28),
        "N": _shape(_BACK, jaw=0.30),
        "x": _shape(_BACK, jaw=0.32),
        "h": _shape(_BREATH, jaw=0.35),
        "?": _shape(_BREATH, jaw=0.30),
    }
)
"""Shapes by sound."""
