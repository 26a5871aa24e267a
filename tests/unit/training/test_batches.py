"""Batches: their shapes, and that what is heard and what is wanted are of the same moment."""

import numpy as np
import pytest
import torch

from app.media.mel import SILENCE as QUIET
from app.models.viseme.controls import STEPS, Controls
from app.models.viseme.phonemes import CONTROLS, SILENCE
from app.quality.alignment import CONTEXT_STEPS, PHONES
from app.training.batches import Batches, labels_of
from app.training.clips import Clip
from app.training.schedule import Schedule
from app.training.variation import varied
from tests.unit.training.made_up import beating_clip

SCHEDULE = Schedule(batch=5, length=40)


def counting_clip(steps: int) -> Clip:
    """Return a clip whose mel and controls at each step say which step it is."""
    place = np.arange(steps, dtype=np.float32) / 1000
    return Clip(np.tile(place, (80, 1)), np.tile(place[:, None], (1, len(CONTROLS))), ())


def drawn(clips: list[Clip], seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return Batches(clips, SCHEDULE, np.random.default_rng(seed)).next()


def test_shapes_fit_the_net() -> None:
    mel, controls, sounds = drawn([beating_clip()])
    assert mel.shape == (5, 80, 40 + STEPS - 1)
    assert controls.shape == (5, len(CONTROLS), 40)
    assert sounds.shape == (5, 40)
    assert [each.dtype for each in (mel, controls, sounds)] == [
        torch.float32,
        torch.float32,
        torch.int64,
    ]
    assert Controls().track(mel).shape == controls.shape


def test_shapes_fit_the_aligner() -> None:
    batches = Batches([beating_clip()], SCHEDULE, np.random.default_rng(0), *[CONTEXT_STEPS] * 2)
    mel, _, sounds = batches.next()
    assert mel.shape == (5, 80, 40 + 2 * CONTEXT_STEPS)
    assert sounds.shape == (5, 40)


@pytest.mark.parametrize("before", [0, 17])
def test_what_is_heard_is_of_the_moment_that_is_wanted(before: int) -> None:
    clip = counting_clip(400)
    for seed in range(20):
        batches = Batches([clip], SCHEDULE, np.random.default_rng(seed), before, 14)
        mel, controls, _ = batches.next()
        heard, wanted = mel[:, 0, before : before + 40], controls[:, 0]
        assert torch.equal(heard, wanted)
        steps = (wanted * 1000).round()
        assert (steps.diff(dim=1) == 1).all()


def test_there_is_silence_around_a_clip_and_the_clip_stays() -> None:
    clip = counting_clip(20)
    before = clip.mel.copy()
    mel, controls, _ = drawn([clip])
    assert (mel[:, :, :17] == QUIET).all()
    assert (mel[:, :, 17:37] == torch.from_numpy(clip.mel)).all()
    assert (mel[:, :, 37:] == QUIET).all()
    assert (controls[:, :, 20:] == controls[:, :, 19:20]).all()
    assert (clip.mel == before).all()


def test_batches_depend_on_the_seed_alone() -> None:
    clips = [beating_clip(), counting_clip(400)]
    one, again, other = (drawn(clips, seed)[0] for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_every_clip_and_every_part_is_drawn() -> None:
    clips = [counting_clip(400), counting_clip(100)]
    batches = Batches(clips, Schedule(batch=400, length=40), np.random.default_rng(0))
    starts = (batches.next()[1][:, 0, 0] * 1000).round()
    assert starts.min() < 5
    assert starts.max() > 350
    assert (starts < 60).float().mean() > 0.5


def test_labels_are_the_sounds_of_the_steps() -> None:
    clip = beating_clip()
    is_said = clip.controls.max(axis=1) > 0
    wanted = np.where(is_said, PHONES.index("A"), PHONES.index(SILENCE))
    assert (labels_of(clip) == wanted).all()


def test_variation_keeps_shape_and_range_and_follows_the_seed() -> None:
    mel = drawn([beating_clip()])[0]
    made = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        made.append(varied(mel))
    one, again, other = made
    assert one.shape == mel.shape
    assert one.dtype == mel.dtype
    assert one.abs().max() <= 4
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_variation_differs_within_a_batch_and_leaves_the_speech_to_be_heard() -> None:
    torch.manual_seed(0)
    same = torch.from_numpy(beating_clip().mel)[None].expand(16, -1, -1)
    made = varied(same)
    assert not any(torch.allclose(made[0], each) for each in made[1:])
    heard, said = made[:, 8:20].mean(dim=1), same[0, 10] > 0
    assert (heard[:, said].mean(dim=1) > heard[:, ~said].mean(dim=1)).all()
