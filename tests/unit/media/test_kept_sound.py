"""A video's own sound stays with its pictures, whichever track starts first."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from app.media.config import MediaConfig
from app.media.kept_sound import kept_sound
from app.media.recording import Abandoned
from app.media.sound import SoundReader
from app.media.video_file import inspect_video
from app.values import Sound
from tests.unit.media.recordings import played, recording, sound_from
from tests.unit.media.videos import barred, encoded_video

CONFIG = MediaConfig()
RATE = 48_000
FPS = Fraction(25)


def click(at_s: float, length_s: float = 2) -> NDArray[np.float32]:
    """Silence with a short burst in it."""
    samples = np.zeros(round(length_s * RATE), np.float32)
    samples[round(at_s * RATE) :][:96] = 0.9
    return samples


def clip(
    sound: NDArray[np.float32] | None,
    container: str = "mp4",
    pictures_from_s: float = 0,
    sound_from_s: float = 0,
) -> bytes:
    start = Fraction(pictures_from_s)
    times = [start + i / FPS for i in range(50)]
    codec = "libvpx" if container == "webm" else "libx264"
    pictures = [barred(i) for i in range(50)]
    return encoded_video(
        pictures, FPS, container, codec, times=times, sound=sound,
        sound_start_s=Fraction(sound_from_s),
    )  # fmt: skip


def kept(data: bytes) -> Sound | None:
    return kept_sound(inspect_video(data, CONFIG), CONFIG)


def heard_at_s(sound: Sound) -> float:
    reader = SoundReader(sound)
    samples = reader.take(2 * sound.rate_hz)[0]
    reader.close()
    assert np.abs(samples).max() > 5000
    return int(np.abs(samples).argmax()) / sound.rate_hz


@pytest.mark.parametrize("container", ["mp4", "mov", "matroska", "webm", "mpegts", "flv"])
@pytest.mark.parametrize(
    ("pictures_from_s", "sound_from_s"), [(0, 0), (0, 0.5), (0.5, 0), (0.25, 0.5), (3, 2.75)]
)
def test_a_click_stays_with_its_picture(
    container: str, pictures_from_s: float, sound_from_s: float
) -> None:
    data = clip(click(0.7), container, pictures_from_s, sound_from_s)
    sound = kept(data)
    assert sound is not None
    expected_s = 0.7 + sound_from_s - pictures_from_s
    # Without an edit list nothing says how long AAC's priming is.
    allowed_s = 0.03 if container in ("mpegts", "flv") else 0.004
    assert abs(heard_at_s(sound) - expected_s) < allowed_s
    assert sound.duration_s == Fraction(sound.num_samples + sound.delay_samples, sound.rate_hz)


def test_silent_and_very_short_sound_is_kept() -> None:
    for count in (RATE, 2000):
        sound = kept(clip(np.zeros(count, np.float32)))
        assert sound is not None
        assert sound.rate_hz == RATE
        assert abs(sound.num_samples - count) < 1024
    kept(clip(np.zeros(3, np.float32)))


@pytest.mark.parametrize("container", ["mp4", "matroska", "gif"])
def test_a_video_without_sound_has_none(container: str) -> None:
    codec, pixel_format = ("gif", "rgb8") if container == "gif" else ("libx264", "yuv420p")
    pictures = [barred(i) for i in range(5)]
    data = encoded_video(pictures, FPS, container, codec, pixel_format=pixel_format)
    assert kept(data) is None


def test_sound_that_never_meets_a_picture_is_none() -> None:
    assert kept(clip(click(0.1, 0.5), "matroska", sound_from_s=2.5)) is None
    assert kept(clip(click(0.1, 0.5), "matroska", pictures_from_s=2.5)) is None


def test_nobody_waits_for_a_session_that_left() -> None:
    video = inspect_video(clip(click(0.5)), CONFIG)
    with pytest.raises(Abandoned):
        kept_sound(video, CONFIG, lambda: True)


@pytest.mark.parametrize("rate", [16_000, 48_000])
@pytest.mark.parametrize("delay", [-70_001, -1000, 0, 3, 100_000])
def test_a_delay_shifts_what_is_heard(delay: int, rate: int) -> None:
    ramp = (np.arange(2 * rate) % 20_000).astype(np.int16)[None]
    wav = sound_from(ramp, rate)
    late = Sound(wav.data, wav.rate_hz, 1, wav.num_samples, delay)
    plain = played(wav)
    reader = SoundReader(late)
    taken = np.concatenate([reader.take(777), reader.take(len(plain[0]) + 100_000)], axis=1)
    expected = np.concatenate(
        [np.zeros((1, max(0, delay)), np.int16), plain[:, max(0, -delay) :]], 1
    )
    assert (taken[:, : expected.shape[1]] == expected).all()
    assert not taken[:, expected.shape[1] :].any()
    assert late.duration_s * late.rate_hz == max(0, wav.num_samples + delay)


def test_a_delay_beyond_the_end_leaves_nothing() -> None:
    wav = recording(np.ones((480, 1), np.int16), RATE)
    assert Sound(wav, RATE, 1, 480, -500).duration_s == 0


def test_a_real_video_keeps_its_sound(shared_media: Path) -> None:
    video = inspect_video((shared_media / "talking" / "presenter.mp4").read_bytes(), CONFIG)
    sound = kept_sound(video, CONFIG)
    assert sound is not None
    assert abs(sound.duration_s - video.duration_s) < Fraction(1, 10)
