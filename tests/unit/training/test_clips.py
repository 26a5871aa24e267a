"""Clips: what is heard and what the mouth does in them are of the same time."""

from itertools import pairwise

import numpy as np
import pytest

from app.media.mel import STEPS_HZ
from app.models.viseme.phonemes import CONTROLS, SILENCE
from app.training.clips import Clip, clean_clip, spoken_clip, wordless_clip
from tests.unit.training.made_up import JAW, buzzing


def assert_whole(clip: Clip) -> None:
    steps = clip.mel.shape[1]
    assert clip.mel.shape == (80, steps)
    assert clip.controls.shape == (steps, len(CONTROLS))
    assert clip.mel.dtype == clip.controls.dtype == np.float32
    assert np.abs(clip.mel).max() <= 4
    assert clip.controls.min() >= 0
    assert clip.controls.max() <= 1
    assert clip.segments[0].start_s == 0
    for one, other in pairwise(clip.segments):
        assert one.end_s == pytest.approx(other.start_s, abs=1 / 16_000)


def test_a_clean_clip_is_loud_and_open_where_it_speaks() -> None:
    clip = clean_clip(buzzing())
    assert_whole(clip)
    middle, edge = round(0.3 * STEPS_HZ), round(0.08 * STEPS_HZ)
    assert clip.controls[middle, JAW] > 0.5
    assert clip.controls[edge].max() < 0.1
    assert clip.mel[:30, middle].mean() > clip.mel[:30, edge].mean() + 2


@pytest.mark.parametrize("seed", range(4))
def test_a_spoken_clip_says_all_in_order_with_pauses_between(seed: int) -> None:
    clip = spoken_clip([buzzing(), buzzing(), buzzing()], np.random.default_rng(seed))
    assert_whole(clip)
    sounds = [each.phone for each in clip.segments]
    assert sounds == [SILENCE, SILENCE, "A", SILENCE] * 3
    last_s = clip.segments[-1].end_s
    assert last_s <= clip.mel.shape[1] / STEPS_HZ <= last_s + 1.7


def test_speech_is_where_a_spoken_clip_says() -> None:
    inside, outside = [], []
    for seed in range(8):
        clip = spoken_clip([buzzing(), buzzing()], np.random.default_rng(seed))
        times = np.arange(clip.mel.shape[1]) / STEPS_HZ
        said = np.zeros(len(times), bool)
        for each in clip.segments:
            if each.phone == "A":
                said |= (times > each.start_s + 0.03) & (times < each.end_s - 0.03)
        level = clip.mel[:60].mean(axis=0)
        # A room rings on after the sound, so that the pause before it is the quiet one.
        first = next(each.start_s for each in clip.segments if each.phone == "A")
        inside.append(level[said].mean())
        outside.append(level[times < first - 0.03].mean())
        assert clip.controls[said, JAW].mean() > 0.3
    assert (np.array(inside) > np.array(outside)).all()


def test_a_spoken_clip_follows_its_seed() -> None:
    one, again, other = (
        spoken_clip([buzzing()], np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert (one.mel == again.mel).all()
    assert (one.controls == again.controls).all()
    assert one.mel.shape != other.mel.shape or not np.allclose(one.mel, other.mel)


@pytest.mark.parametrize("seed", range(6))
def test_no_mouth_opens_without_words(seed: int) -> None:
    clip = wordless_clip(2.0, np.random.default_rng(seed))
    assert_whole(clip)
    assert clip.mel.shape[1] / STEPS_HZ == pytest.approx(2.0, abs=0.05)
    assert clip.controls.max() == 0
    assert clip.mel.std() > 0.05
