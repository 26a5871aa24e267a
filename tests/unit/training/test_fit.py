"""Fits of a few steps on clips that a few steps suffice for."""

import re

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

from app.media.mel import SILENCE as QUIET
from app.models.viseme.controls import STEPS, STEPS_BEFORE, Controls
from app.models.viseme.phonemes import CONTROLS
from app.quality import alignment
from app.quality.alignment import PHONES, WEIGHTS, log_likelihoods
from app.training.aligner import fit_aligner
from app.training.batches import labels_of
from app.training.clips import Clip
from app.training.energy import fit_energy
from app.training.fit import fit
from app.training.schedule import Schedule
from app.weights.embedded import embedded_tensors
from tests.unit.training.made_up import JAW, beating_clip

QUICK = Schedule(steps=200, batch=2, length=64)


def losses(told: list[str]) -> list[float]:
    """Return the losses that a fit told of."""
    return [float(re.findall(r"loss (\d+\.\d+)", line)[0]) for line in told]


def jaw(net: Controls, clip: Clip) -> NDArray[np.float32]:
    """Return what a net makes of a clip's jaw."""
    mel = torch.from_numpy(clip.mel)[None]
    mel = functional.pad(mel, (STEPS_BEFORE, STEPS - 1 - STEPS_BEFORE), value=QUIET)
    with torch.inference_mode():
        track: NDArray[np.float32] = net.track(mel)[0, JAW].numpy()
    return track


def test_the_fit_of_the_mouth_lowers_its_loss_and_moves_the_jaw() -> None:
    clip, told = beating_clip(), list[str]()
    net = fit([clip], QUICK, 1, told.append)
    first, *_, last = losses(told)
    assert last < first / 2
    assert not net.training
    assert next(net.parameters()).device.type == "cpu"
    made, wanted = jaw(net, clip), clip.controls[:, JAW]
    assert np.corrcoef(made, wanted)[0, 1] > 0.9
    assert made[wanted > 0].mean() > made[wanted == 0].mean() + 0.1


def test_a_fit_follows_its_seed() -> None:
    schedule = Schedule(steps=3, batch=2, length=32)
    one, again, other = (
        fit([beating_clip()], schedule, seed).head.weight.detach() for seed in (1, 1, 2)
    )
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_the_fit_of_the_aligner_names_the_sounds(monkeypatch: pytest.MonkeyPatch) -> None:
    clip, told = beating_clip(), list[str]()
    made = fit_aligner([clip], QUICK, 1, told.append)
    assert losses(told)[-1] < np.log(len(PHONES)) / 10  # of a guess
    shipped = embedded_tensors("app.quality", WEIGHTS)
    assert {name: value.shape for name, value in made.items()} == {
        name: value.shape for name, value in shipped.items()
    }
    assert {value.dtype for value in made.values()} == {np.dtype(np.float16)}
    monkeypatch.setattr(alignment, "embedded_tensors", lambda package, name: made)
    named = log_likelihoods(clip.mel).argmax(axis=1)
    assert (named == labels_of(clip)).mean() > 0.9


def test_the_numbers_of_a_mouth_that_follows_loudness_are_found() -> None:
    draw = np.random.default_rng(0)
    level_db = np.repeat(draw.uniform(-40, 10, 100), 7)
    # One loud bin among silent ones, so that the level is the bin's.
    mel = np.full((80, len(level_db)), QUIET, np.float32)
    mel[40] = (level_db / 10 + 3) / 1.25
    before, after, quiet_db, loud_db, widest = 4, 5, -30.0, 2.0, 0.5
    heard = np.pad(10 * np.log10((10 ** (mel * 1.25 - 3.0)).sum(0) + 1e-7), (4, 4), mode="edge")
    mean = np.convolve(heard, np.full(before + after, 1 / (before + after)), "valid")
    controls = np.zeros((len(level_db), len(CONTROLS)), np.float32)
    share = (mean - quiet_db) / (loud_db - quiet_db)
    controls[:, JAW] = widest * share.clip(0, 1)
    found = fit_energy([Clip(mel, controls, ())])
    assert (found.before, found.after) == (before, after)
    assert (found.quiet_db, found.loud_db) == (quiet_db, loud_db)
    assert found.widest == pytest.approx(widest, abs=0.01)
    assert found.correlation == pytest.approx(1, abs=1e-4)
