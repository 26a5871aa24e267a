"""Speech made worse: as long as before, of a known level, and the same for the same seed."""

from collections.abc import Callable

import numpy as np
import pytest

from app.training import augmentation
from app.training.augmentation import Samples
from app.values import SPEECH_HZ

Worsening = Callable[[Samples, np.random.Generator], Samples]
Company = Callable[[int, np.random.Generator], Samples]

WORSENINGS = [augmentation.reverberant, augmentation.equalised, augmentation.coded]
COMPANIES = [augmentation.noise, augmentation.music, augmentation.applause]
SEEDS = range(6)


def level_db(samples: Samples) -> float:
    return float(10 * np.log10(np.mean(samples.astype(np.float64) ** 2)))


def voiced(seconds: float = 1.5) -> Samples:
    """Return a buzz that comes and goes, which no two moments of are alike."""
    time = np.arange(int(seconds * SPEECH_HZ)) / SPEECH_HZ
    phase = 2 * np.pi * (120 * time + 40 * time**2)
    buzz = sum(np.sin(k * phase) / k for k in range(1, 15))
    return np.asarray(0.1 * buzz * (1 + np.sin(2 * np.pi * 3 * time)), np.float32)


@pytest.mark.parametrize("worse", WORSENINGS)
@pytest.mark.parametrize("length", [4000, 24_001])
def test_speech_stays_as_long_as_it_was(worse: Worsening, length: int) -> None:
    speech = voiced()[:length]
    before = speech.copy()
    for seed in SEEDS:
        made = worse(speech, np.random.default_rng(seed))
        assert made.shape == speech.shape
        assert made.dtype == np.float32
        assert np.isfinite(made).all()
    assert (speech == before).all()


@pytest.mark.parametrize("worse", WORSENINGS)
def test_chance_comes_from_the_seed_alone(worse: Worsening) -> None:
    one, again, other = (worse(voiced(), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert (one == again).all()
    assert not np.allclose(one, other, atol=1e-3)


def test_a_room_adds_at_most_as_much_as_the_direct_sound() -> None:
    hiss = (0.1 * np.random.default_rng(0).standard_normal(SPEECH_HZ * 2)).astype(np.float32)
    for seed in SEEDS:
        gain_db = level_db(augmentation.reverberant(hiss, np.random.default_rng(seed)))
        assert -0.5 < gain_db - level_db(hiss) < 3.5


def test_a_room_answers_after_the_sound_and_fades() -> None:
    click = np.zeros(SPEECH_HZ, np.float32)
    click[1000] = 1
    for seed in SEEDS:
        made = augmentation.reverberant(click, np.random.default_rng(seed))
        assert np.abs(made[:1000]).max() < 1e-5
        assert made[1000] == pytest.approx(1, abs=1e-3)
        early, late = made[1100:3000], made[-3000:]
        assert 0 < np.mean(late**2) < np.mean(early**2) / 10 or np.abs(late).max() < 1e-5


def test_a_microphone_bends_the_spectrum_and_nothing_else() -> None:
    loud = voiced()
    for seed in SEEDS:
        made, twice = (
            augmentation.equalised(np.float32(gain) * loud, np.random.default_rng(seed))
            for gain in (1, 2)
        )
        np.testing.assert_allclose(twice, 2 * made, atol=1e-4)
        assert -25 < level_db(made) - level_db(loud) < 12


def test_a_codec_keeps_level_and_time() -> None:
    speech = voiced()
    for seed in SEEDS:
        made = augmentation.coded(speech, np.random.default_rng(seed))
        assert abs(level_db(made) - level_db(speech)) < 1
        lags = range(-40, 41)
        likeness = [
            np.corrcoef(np.roll(speech, lag)[100:-100], made[100:-100])[0, 1] for lag in lags
        ]
        assert abs(lags[int(np.argmax(likeness))]) <= 2
        assert max(likeness) > 0.9


@pytest.mark.parametrize("company", COMPANIES)
def test_company_has_level_one_and_a_seed(company: Company) -> None:
    for seed in SEEDS:
        made, again, other = (
            company(SPEECH_HZ, np.random.default_rng(each)) for each in (seed, seed, seed + 100)
        )
        assert made.shape == (SPEECH_HZ,)
        assert made.dtype == np.float32
        assert np.sqrt(np.mean(made**2)) == pytest.approx(1, abs=1e-3)
        assert (made == again).all()
        assert not np.allclose(made, other)


def test_a_breath_swells_and_fades() -> None:
    for seed in SEEDS:
        made = augmentation.breath(np.random.default_rng(seed))
        assert len(made) + 1 >= 0.15 * SPEECH_HZ
        assert len(made) <= 0.6 * SPEECH_HZ
        edge = len(made) // 10
        ends = np.concatenate([made[:edge], made[-edge:]])
        middle = made[len(made) // 2 - edge : len(made) // 2 + edge]
        assert np.mean(ends**2) < 0.3 * np.mean(middle**2)
        assert (made == augmentation.breath(np.random.default_rng(seed))).all()
