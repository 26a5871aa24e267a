import itertools

import numpy as np
import pytest

from app.models.viseme.coarticulation import Segment, mouth_track, opening
from app.models.viseme.phonemes import BILABIALS, CONTROLS, JAW_GAP, PHONEMES, SILENCE, VOWELS

CLOSE, JAW = CONTROLS.index("close"), CONTROLS.index("jaw")
STEPS_HZ = 80


def said(*timed: tuple[str, float]) -> list[Segment]:
    """Return sounds of the given durations, one after the other."""
    ends = list(itertools.accumulate(duration for _, duration in timed))
    starts = [0.0, *ends]
    return [
        Segment(phone, start, end)
        for (phone, _), start, end in zip(timed, starts, ends, strict=False)
    ]


def at(segments: list[Segment], *times_s: float) -> np.ndarray:
    return mouth_track(segments, np.array(times_s))


def test_every_shape_is_in_range_and_every_strength_positive() -> None:
    for phone, shape in PHONEMES.items():
        assert len(shape.targets) == len(shape.strengths) == len(CONTROLS), phone
        assert min(shape.targets) >= 0
        assert max(shape.targets) <= 1
        assert min(shape.strengths) > 0
    assert not any(PHONEMES[SILENCE].targets)
    assert set(PHONEMES) > VOWELS | BILABIALS


def test_lower_vowels_open_further() -> None:
    front = [PHONEMES[vowel].targets[JAW] for vowel in ("i", "I", "e", "E", "{", "a")]
    back = [PHONEMES[vowel].targets[JAW] for vowel in ("u", "U", "o", "O", "Q", "A")]
    assert front == sorted(front)
    assert back == sorted(back)


@pytest.mark.parametrize("phone", sorted(BILABIALS))
@pytest.mark.parametrize("duration_s", [0.035, 0.06, 0.12])
@pytest.mark.parametrize("frame_shift_s", [0.0, 0.01, 0.02, 0.03])
def test_lips_close_in_a_frame_of_25_a_second(
    phone: str, duration_s: float, frame_shift_s: float
) -> None:
    word = said((SILENCE, 0.4), ("a", 0.12), (phone, duration_s), ("a", 0.15), (SILENCE, 0.4))
    frames = np.arange(0, 1, 0.04) + frame_shift_s
    gaps = opening(mouth_track(word, frames)) * JAW_GAP
    start, end = word[2].start_s - 0.02, word[2].end_s + 0.02
    assert gaps[(frames >= start) & (frames <= end)].min() < 0.02


def test_vowels_between_pauses_reach_their_target() -> None:
    word = said((SILENCE, 0.5), ("a", 0.25), (SILENCE, 0.5))
    (middle,) = at(word, 0.625)
    assert middle[JAW] > 0.8 * PHONEMES["a"].targets[JAW]


def test_pauses_close_the_mouth_from_150_ms_on() -> None:
    word = said(("a", 0.2), (SILENCE, 0.4), ("a", 0.2))
    times = np.arange(0.35, 0.6, 1 / STEPS_HZ)
    assert (opening(mouth_track(word, times)) * JAW_GAP < 0.02).mean() >= 0.95


def test_short_pauses_close_less_than_long_ones() -> None:
    def least(pause_s: float) -> float:
        word = said(("a", 0.2), (SILENCE, pause_s), ("a", 0.2))
        return float(opening(mouth_track(word, np.arange(0.2, 0.2 + pause_s, 0.005))).min())

    assert least(0.06) > 3 * least(0.3)


def test_a_vowel_is_rounder_before_a_rounded_one() -> None:
    rounded, spread = (
        at(said((SILENCE, 0.3), ("t", 0.08), (vowel, 0.2), (SILENCE, 0.3)), 0.34)
        for vowel in ("u", "i")
    )
    pucker = CONTROLS.index("pucker")
    assert rounded[0, pucker] > 0.1
    assert spread[0, pucker] < 0.05


def test_tracks_are_smooth() -> None:
    word = said((SILENCE, 0.3), *((phone, 0.07) for phone in "pataSumi"), (SILENCE, 0.3))
    track = mouth_track(word, np.arange(0, 1.2, 0.005))
    assert track.min() >= 0
    assert track.max() <= 1
    assert np.abs(np.diff(track, axis=0)).max() < 0.25


def test_nothing_said_is_rest() -> None:
    assert not mouth_track([], np.arange(3.0)).any()
