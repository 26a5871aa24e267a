"""From timed sounds to mouth controls: each sound pulls at the mouth before and after its time.

S segments, T times, C controls (8). Numpy only.

Source: M. Cohen and D. Massaro, "Modeling coarticulation in synthetic visual speech", Models and
Techniques in Computer Animation, 1993: dominance D = a exp(-theta |tau|), mouth = sum(D target) /
sum(D). Deviates: tau counts from the segment's hold, not from its centre, so that long sounds are
held and closures are full; the rates also depend on the control.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.models.viseme.phonemes import BILABIALS, CONTROLS, GAP_OF, PHONEMES, SILENCE

CLOSE: Final = CONTROLS.index("close")

_RATE_PER_S: Final = 25.0
"""How fast dominance fades before and after a sound: to 1/e within 40 ms."""

_LABIAL_RATE_PER_S: Final = 90.0
"""The same of the lips' closing, which is quick."""

_HELD: Final = 0.3
"""Share of a sound's duration, around its centre, over which it dominates in full."""

_LEAST_CLOSURE_S: Final = 0.045
"""Lips that meet stay so for more than a frame of 25 a second."""

_SETTLE_S: Final = 0.08
"""From a pause's start until its rest dominates in full."""

_WAKE_S: Final = 0.04
"""The same before its end: lips part before the sound."""

_LONG_PAUSE_S: Final = 0.2
"""Shorter pauses pull the mouth shut by as much less."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A sound and its time.

    Attributes:
        phone: of `PHONEMES`.
        start_s: from the recording's start, in seconds.
        end_s: likewise, past `start_s`.
    """

    phone: str
    start_s: float
    end_s: float


def mouth_track(segments: Sequence[Segment], times_s: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the controls at times, (T, 8) float32 in [0, 1], smooth in time.

    Args:
        segments: in order, without gaps; before the first and after the last is silence.
        times_s: (T,) in seconds from the recording's start.
    """
    if not segments:
        return np.zeros((len(times_s), len(CONTROLS)), np.float32)
    silence_before = Segment(SILENCE, segments[0].start_s - 1, segments[0].start_s)
    silence_after = Segment(SILENCE, segments[-1].end_s, segments[-1].end_s + 1)
    spoken = [silence_before, *_joined(segments), silence_after]
    spoken = _joined(spoken)
    holds = np.array([_hold(segment) for segment in spoken])
    targets_SC = np.array([PHONEMES[segment.phone].targets for segment in spoken])
    strengths_SC = np.array([_strengths(segment) for segment in spoken])
    rates_SC = np.full(targets_SC.shape, _RATE_PER_S)
    labial = [segment.phone in BILABIALS for segment in spoken]
    rates_SC[labial, CLOSE] = _LABIAL_RATE_PER_S
    # Silence lets go of all as quickly as lips close, or speech would begin with a mumble.
    away_ST = np.maximum(0, np.maximum(holds[:, :1] - times_s, times_s - holds[:, 1:]))
    track = np.empty((len(times_s), len(CONTROLS)), np.float32)
    for control in range(len(CONTROLS)):
        log_ST = np.log(strengths_SC[:, control, None]) - rates_SC[:, control, None] * away_ST
        weights_ST = np.exp(log_ST - log_ST.max(axis=0))
        track[:, control] = (weights_ST * targets_SC[:, control, None]).sum(0) / weights_ST.sum(0)
    return track


def opening(controls: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how far the inner lips are apart, (...) float32 >= 0, from (..., 8) controls.

    In units of the gap that the jaw alone opens at its widest: `JAW_GAP` eye distances.
    """
    return np.asarray(gap(*np.moveaxis(controls, -1, 0)), np.float32)


def gap(*controls: Any) -> Any:  # noqa: ANN401
    """Return the lips' gap as `opening`, from each of the eight controls: arrays or tensors."""
    value = dict(zip(CONTROLS, controls, strict=True))
    jaw, pucker = value["jaw"], value["pucker"]
    parted = GAP_OF["jaw"] * jaw * (1 - 0.3 * pucker)
    parted = parted + GAP_OF["funnel"] * value["funnel"] * (1 - 0.5 * jaw)
    parted = parted + GAP_OF["pucker"] * pucker
    parted = parted + GAP_OF["upper"] * value["upper"] + GAP_OF["lower"] * value["lower"]
    return parted * (1 - value["close"])


def _joined(segments: Sequence[Segment]) -> list[Segment]:
    """Return the segments with neighbouring silences as one."""
    joined: list[Segment] = []
    for segment in segments:
        if joined and segment.phone == joined[-1].phone == SILENCE:
            joined[-1] = Segment(SILENCE, joined[-1].start_s, segment.end_s)
        else:
            joined.append(segment)
    return joined


def _hold(segment: Segment) -> tuple[float, float]:
    """Return from when until when a segment dominates in full."""
    start, end = segment.start_s, segment.end_s
    centre, duration = (start + end) / 2, end - start
    if segment.phone == SILENCE:
        settled, waking = start + _SETTLE_S, end - _WAKE_S
        return (settled, waking) if settled < waking else (centre, centre)
    held = duration if segment.phone in BILABIALS else _HELD * duration
    if segment.phone in BILABIALS:
        held = max(held, _LEAST_CLOSURE_S)
    return centre - held / 2, centre + held / 2


def _strengths(segment: Segment) -> tuple[float, ...]:
    strengths = PHONEMES[segment.phone].strengths
    if segment.phone != SILENCE:
        return strengths
    share = min(1.0, (segment.end_s - segment.start_s) / _LONG_PAUSE_S)
    return tuple(strength * share for strength in strengths)
