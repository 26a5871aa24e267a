"""The shipped net from speech to mouth controls."""

from fractions import Fraction
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.demo.run import demo_speech
from app.errors import WeightsError
from app.media.audio import decode_speech
from app.media.config import MediaConfig
from app.media.mel import SILENCE, mel_levels, speech_windows
from app.models.viseme.coarticulation import opening
from app.models.viseme.controls import STEPS, Controls
from app.models.viseme.phonemes import CONTROLS, JAW_GAP
from app.runtime.embedded import VISEME_WEIGHTS, controls_net
from app.variants.config import MEL_WINDOWS
from app.weights.embedded import embedded_tensors, write_embedded

FPS = Fraction(25)
WINDOW = MEL_WINDOWS["viseme"]
LOOK_AHEAD_S = 0.2


@pytest.fixture(scope="module")
def net() -> Controls:
    return controls_net()


def listen(net: Controls, windows: NDArray[np.float32]) -> NDArray[np.float32]:
    with torch.inference_mode():
        controls: NDArray[np.float32] = net(torch.from_numpy(windows)).numpy()
    return controls


def heard(gain_db: float = 0.0, frames: int = 250) -> NDArray[np.float32]:
    """Return the windows of the demo's speech, (T, 80, 32)."""
    speech = decode_speech(demo_speech(), MediaConfig())
    gain = speech.gain_db + gain_db
    return speech_windows(speech.levels, gain, FPS, 0, frames, window=WINDOW)


def test_weights_are_small_and_prove_themselves(net: Controls) -> None:
    file = files(VISEME_WEIGHTS[0]).joinpath(VISEME_WEIGHTS[1])
    assert len(file.read_bytes()) <= 2_000_000
    assert 50_000 < sum(each.numel() for each in net.parameters()) < 300_000


def test_damaged_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "__init__.py").write_text("")
    path = tmp_path / "broken" / "net.safetensors"
    write_embedded(path, {"bias": np.arange(4, dtype=np.float32)}, {})
    monkeypatch.syspath_prepend(str(tmp_path))
    assert embedded_tensors("broken", "net.safetensors")["bias"][3] == 3
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(WeightsError):
        embedded_tensors("broken", "net.safetensors")


def test_digital_silence_is_rest(net: Controls) -> None:
    silence = np.full((2, 80, STEPS), SILENCE, np.float32)
    assert not listen(net, silence).any()


@pytest.mark.parametrize("noise_db", [-70.0, -50.0, -40.0])
def test_a_quiet_room_is_no_speech(net: Controls, noise_db: float) -> None:
    noise = np.random.default_rng(1).standard_normal(32_000).astype(np.float32)
    levels = mel_levels(noise * 10 ** (noise_db / 20))
    windows = speech_windows(levels, 0.0, FPS, 5, 45, window=WINDOW)
    assert opening(listen(net, windows)).max() * JAW_GAP < 0.02


@pytest.mark.parametrize("gain_db", [-6.0, 0.0, 6.0])
def test_speech_opens_and_closes_the_mouth_at_any_level(net: Controls, gain_db: float) -> None:
    gaps = opening(listen(net, heard(gain_db)))
    assert gaps.max() > 0.5
    assert np.quantile(gaps, 0.1) < 0.12
    assert gaps.std() > 0.1


def test_a_recording_at_once_is_its_frames_one_by_one(net: Controls) -> None:
    mel = np.random.default_rng(2).uniform(-4, 4, (80, STEPS + 9)).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(mel, STEPS, axis=1).transpose(1, 0, 2)
    with torch.inference_mode():
        track = net.track(torch.from_numpy(mel[None]))[0].T.numpy()
    np.testing.assert_allclose(track, listen(net, windows.copy()), atol=1e-5)


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30), Fraction(60)])
@pytest.mark.parametrize("frame", [10, 33])
def test_speech_later_than_200_ms_after_a_frame_changes_nothing(
    net: Controls, fps: Fraction, frame: int
) -> None:
    draw = np.random.default_rng(frame)
    samples = (0.1 * draw.standard_normal(32_000)).astype(np.float32)
    changed = samples.copy()
    later = round(float(frame / fps + Fraction(LOOK_AHEAD_S)) * 16_000)
    changed[later:] = draw.standard_normal(32_000 - later)
    before, after = (
        speech_windows(mel_levels(each), 0.0, fps, frame, frame + 1, window=WINDOW)
        for each in (samples, changed)
    )
    assert np.abs(listen(net, before) - listen(net, after)).max() < 1e-5
    earlier = samples.copy()
    earlier[later - 2000 :] *= 0
    sooner = speech_windows(mel_levels(earlier), 0.0, fps, frame, frame + 1, window=WINDOW)
    assert np.abs(before - sooner).max() > 0.1


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_controls_stay_in_range(seed: int) -> None:
    mel = np.random.default_rng(seed).uniform(-4, 4, (4, 80, STEPS)).astype(np.float32)
    controls = listen(controls_net(), mel)
    assert controls.shape == (4, len(CONTROLS))
    assert controls.min() >= 0
    assert controls.max() <= 1
