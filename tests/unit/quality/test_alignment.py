"""Forced alignment against sounds whose times are known."""

import shutil
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

from app.media.mel import SILENCE as QUIET
from app.media.mel import STEPS_HZ
from app.models.viseme.coarticulation import Segment
from app.models.viseme.phonemes import SILENCE
from app.quality import alignment
from app.quality.alignment import DILATIONS, PHONES, WEIGHTS, align, log_likelihoods
from app.weights.embedded import embedded_tensors

needs_espeak = pytest.mark.skipif(not shutil.which("espeak-ng"), reason="no espeak-ng here")


def words_in(segments: Sequence[Segment]) -> list[list[str]]:
    """Return the sounds between pauses."""
    words: list[list[str]] = [[]]
    for segment in segments:
        if segment.phone == SILENCE:
            words.append([])
        else:
            words[-1].append(segment.phone)
    return [word for word in words if word]


@needs_espeak
@pytest.mark.parametrize("voice", ["en-us", "en-us+f3", "en-us+m5"])
@pytest.mark.parametrize(
    "text",
    ["Papa, a map. A bad pub.", "Ask not what your country can do for you."],
    ids=["stops", "sentence"],
)
def test_synthesised_sounds_are_found_where_they_are_said(voice: str, text: str) -> None:
    from app.synthesis.espeak import speak
    from app.training.clips import clean_clip

    said = speak(text, voice)
    found = align(clean_clip(said).mel, words_in(said.segments))
    there = [each for each in found if each.phone != SILENCE]
    wanted = [each for each in said.segments if each.phone != SILENCE]
    assert [each.phone for each in there] == [each.phone for each in wanted]
    off_s = [abs(one.start_s - other.start_s) for one, other in zip(there, wanted, strict=True)]
    # One step on the whole, three at most.
    assert np.median(off_s) <= 0.0125
    assert np.max(off_s) <= 0.0375
    for one, other in zip(there, wanted, strict=True):
        assert other.start_s <= (one.start_s + one.end_s) / 2 <= other.end_s


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the sounds of the steps that the net takes a recording for; to be filled."""
    sounds: list[str] = []

    def certain(mel_MS: NDArray[np.float32]) -> NDArray[np.float32]:
        scores = np.full((len(sounds), len(PHONES)), -12, np.float32)
        scores[np.arange(len(sounds)), [PHONES.index(sound) for sound in sounds]] = 0
        return scores

    monkeypatch.setattr(alignment, "log_likelihoods", certain)
    return sounds


def spans(segments: Sequence[Segment]) -> list[tuple[str, int]]:
    """Return each sound and its steps."""
    return [(each.phone, round((each.end_s - each.start_s) * STEPS_HZ)) for each in segments]


MEL = np.zeros((80, 1), np.float32)


def test_a_net_that_is_sure_decides_every_border(heard: list[str]) -> None:
    said = [(SILENCE, 9), ("m", 5), ("A", 11), (SILENCE, 20), ("b", 4), ("I", 8), (SILENCE, 3)]
    heard += [sound for sound, steps in said for _ in range(steps)]
    found = align(MEL, [["m", "A"], ["b", "I"]])
    assert spans(found) == said
    assert found[0].start_s == 0
    assert all(one.end_s == other.start_s for one, other in pairwise(found))
    assert found[-1].end_s == len(heard) / STEPS_HZ


def test_words_need_no_pauses_between_them(heard: list[str]) -> None:
    said = [("m", 5), ("A", 11), ("b", 4), ("I", 8)]
    heard += [sound for sound, steps in said for _ in range(steps)]
    assert spans(align(MEL, [["m", "A"], ["b", "I"]])) == said


def test_a_sound_that_nobody_hears_still_takes_its_time(heard: list[str]) -> None:
    heard += ["m"] * 8 + ["A"] * 12
    assert [sound for sound, _ in spans(align(MEL, [["m", "b", "A"]]))] == ["m", "b", "A"]


def test_a_recording_too_short_for_its_text_is_refused(heard: list[str]) -> None:
    heard += ["m"] * 5
    with pytest.raises(ValueError, match="too short"):
        align(MEL, [["m", "A", "b"]])


def test_the_net_in_numpy_is_the_net_in_torch() -> None:
    draw = np.random.default_rng(0)
    mel = draw.uniform(QUIET, 4, (80, 50)).astype(np.float32)
    weights = {
        name: torch.from_numpy(value).float()
        for name, value in embedded_tensors("app.quality", WEIGHTS).items()
    }
    value = functional.pad(torch.from_numpy(mel), (14, 14), value=QUIET)[None] * 0.25
    for layer, dilation in enumerate(DILATIONS):
        kernel, bias = weights[f"{layer}.weight"], weights[f"{layer}.bias"]
        value = functional.conv1d(value, kernel, bias, dilation=dilation).relu()
    logits = functional.conv1d(value, weights["out.weight"][:, :, None], weights["out.bias"])[0].T
    wanted = torch.log_softmax(logits, 1).clamp(min=-12) - 0.7 * weights["log_prior"]
    got = log_likelihoods(mel)
    assert got.shape == (50, len(PHONES))
    assert got.dtype == np.float32
    # The prior, up to about 8, is scaled in float16.
    np.testing.assert_allclose(got, wanted.numpy(), rtol=0, atol=5e-3)
