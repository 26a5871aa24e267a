"""From what was measured of each talk to the rows of the table."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.quality.opening import closed_share, likeness, shut_in_pauses, vowel_order
from app.quality.passage import Passage
from app.quality.table import Row

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Talk:
    """What one talk showed; gaps are (T,) in eye distances.

    Attributes:
        sitter: name of the portrait.
        passage: what was said.
        gap: of our mouth.
        energy_gap: of the energy-only mouth.
        found: share of frames in which the face was found again.
        distortion: largest change of eyes and nose, pose removed, of the eye distance.
        outside: largest change outside head and shoulders, of 255.
    """

    sitter: str
    passage: Passage
    gap: Floats
    energy_gap: Floats
    found: float
    distortion: float
    outside: int

    @property
    def name(self) -> str:
        """Portrait and recording."""
        return f"{self.sitter}, {self.passage.name}"


Figure = Callable[[Floats, Passage], float]


def mouth_rows(talks: Sequence[Talk]) -> list[Row]:
    """Return the rows about the mouth."""
    known = [talk for talk in talks if talk.passage.reference]
    held_out = [talk for talk in known if talk.passage.held_out]
    recorded = [talk for talk in known if not talk.passage.held_out]
    return [
        _opening("opening ~ reference, held-out voices", held_out, 0.80),
        _opening("opening ~ reference, recordings with transcript", recorded, 0.60),
        _lag(recorded),
        _row("open vowels wider than close ones", _order, recorded, 0.0, "{:+.3f} eye distances"),
        _row("p, b, m closed in a frame", _closures, known, 0.90, "{:.0%}"),
        _row("closed in pauses of 300 ms", _pauses, talks, 0.95, "{:.0%}"),
    ]


def picture_rows(talks: Sequence[Talk]) -> list[Row]:
    """Return the rows about the rest of the picture."""
    outside = max(talks, key=lambda talk: talk.outside)
    lost = min(talks, key=lambda talk: talk.found)
    bent = max(talks, key=lambda talk: talk.distortion)
    found = float(np.mean([talk.found for talk in talks]))
    return [
        Row(
            "outside head and shoulders, before encoding",
            f"{outside.outside} of 255",
            "at most 1 of 255",
            outside.outside <= 1,
            outside.name,
        ),
        Row(
            "face found again",
            f"{found:.1%} of frames",
            "100 %",
            lost.found == 1,
            "" if lost.found == 1 else f"{lost.found:.1%} {lost.name}",
        ),
        Row(
            "eyes and nose, pose removed: largest change",
            f"{bent.distortion:.1%}",
            "under 3 %",
            bent.distortion < 0.03,
            bent.name,
        ),
    ]


def _opening(measure: str, talks: Sequence[Talk], least: float) -> Row:
    row = _row(measure, _correlation, talks, least, "{:.2f}")
    ours, theirs = _means(_correlation, talks)
    target = f"at least {least:.2f}, and 0.10 above energy-only"
    # Figures count as they are printed.
    ours, theirs = round(ours, 2), round(theirs, 2)
    met = None if row.met is None else ours >= least and round(ours - theirs, 2) >= 0.10
    return Row(row.measure, row.ours, target, met, row.worst, row.energy)


def _lag(talks: Sequence[Talk]) -> Row:
    """Return by how much the mouth comes late, of the talk where that is most."""
    measure, target = "best lag of the opening", "within 40 ms"
    if not talks:
        return Row(measure, "", target, None)

    def late_s(talk: Talk, gap: Floats) -> float:
        assert talk.passage.reference
        return likeness(gap, talk.passage.reference.opening).lag_s

    late = [late_s(talk, talk.gap) for talk in talks]
    worst = int(np.abs(late).argmax())
    energy = float(np.mean([late_s(talk, talk.energy_gap) for talk in talks]))
    return Row(
        measure,
        f"{1000 * float(np.mean(late)):+.0f} ms",
        target,
        abs(late[worst]) <= 0.04,
        f"{1000 * late[worst]:+.0f} ms {talks[worst].name}",
        f"{1000 * energy:+.0f} ms",
    )


def _row(measure: str, figure: Figure, talks: Sequence[Talk], least: float, text: str) -> Row:
    """Return the mean over the talks, and the talk with the least."""
    target = "above 0" if least == 0 else f"at least {text.format(least)}"
    told = [talk for talk in talks if not math.isnan(figure(talk.gap, talk.passage))]
    if not told:
        return Row(measure, "", target, None)
    ours, theirs = _means(figure, told)
    worst = min(told, key=lambda talk: figure(talk.gap, talk.passage))
    least_of_all = text.format(figure(worst.gap, worst.passage))
    met = ours > least if least == 0 else ours >= least
    return Row(
        measure,
        text.format(ours),
        target,
        met,
        f"{least_of_all} {worst.name}",
        text.format(theirs),
    )


def _means(figure: Figure, talks: Sequence[Talk]) -> tuple[float, float]:
    """Return the mean figure of our mouth and of the energy-only one; NaN without talks."""
    if not talks:
        return math.nan, math.nan
    ours = float(np.mean([figure(talk.gap, talk.passage) for talk in talks]))
    theirs = float(np.mean([figure(talk.energy_gap, talk.passage) for talk in talks]))
    return ours, theirs


def _correlation(gap: Floats, passage: Passage) -> float:
    assert passage.reference
    return likeness(gap, passage.reference.opening).correlation


def _order(gap: Floats, passage: Passage) -> float:
    assert passage.reference
    return vowel_order(gap, passage.reference.open_vowels, passage.reference.close_vowels)


def _closures(gap: Floats, passage: Passage) -> float:
    assert passage.reference
    return closed_share(gap, passage.reference.closures)


def _pauses(gap: Floats, passage: Passage) -> float:
    return shut_in_pauses(gap, passage.pauses())
