"""A video's own sound stays with its pictures, whichever track starts first."""

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from app.errors import AudioTooLong
from app.media.config import MediaConfig
from app.media.kept_sound import SoundUnusable, kept_sound
from app.media.recording import Abandoned, read_blocks
from app.media.sound import SoundReader
from app.media.video_file import inspect_video
from app.values import Sound
from tests.unit.media.recordings import played, recording, sound_from, speechlike
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


def with_unknown_sound(codec: str, rate: int = 44_100) -> bytes:
    """A clip whose sound is coded in a way that is not read here."""
    out = io.BytesIO()
    pictures = encoded_video([barred(i) for i in range(50)], FPS, options={"bf": "0"})
    with av.open(io.BytesIO(pictures), "r") as file, av.open(out, "w", format="flv") as clip:
        shown = clip.add_stream_from_template(file.streams.video[0])
        heard = clip.add_stream(codec, rate=rate, layout="mono")
        assert isinstance(heard, av.AudioStream)
        for packet in file.demux(video=0):
            if packet.size:
                packet.stream = shown
                clip.mux(packet)
        for at in range(0, 2 * rate, rate // 50):
            piece = np.zeros((1, rate // 50), np.float32)
            frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout="mono")
            frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), at
            clip.mux(heard.encode(frame))
        clip.mux(heard.encode(None))
    return out.getvalue()


def without_sound_between(data: bytes, container: str, from_s: float, to_s: float) -> bytes:
    """The same file but for the packets of sound that begin within a time."""
    out = io.BytesIO()
    with av.open(io.BytesIO(data), "r") as file, av.open(out, "w", format=container) as cut:
        streams = {s.index: cut.add_stream_from_template(s) for s in file.streams}
        for packet in file.demux():
            if packet.pts is None or packet.time_base is None:
                continue
            at_s = float(packet.pts * packet.time_base)
            if packet.stream.type == "audio" and from_s <= at_s < to_s:
                continue
            packet.stream = streams[packet.stream.index]
            cut.mux(packet)
    return out.getvalue()


@pytest.mark.parametrize(
    ("container", "codec"),
    [
        ("matroska", "libopus"), ("matroska", "pcm_s16le"), ("matroska", "pcm_u8"),
        ("mp4", "aac"), ("mpegts", "aac"),
    ],
)  # fmt: skip
def test_sound_after_a_gap_stays_with_its_picture(container: str, codec: str) -> None:
    samples = np.maximum(click(0.5, 3), click(2.25, 3))
    whole = encoded_video(
        [barred(i) for i in range(75)], FPS, container, sound=samples, sound_codec=codec
    )
    data = without_sound_between(whole, container, 1, 1.5)
    sound = kept(data)
    assert sound is not None
    heard_CN = played(sound)
    assert not np.abs(heard_CN[:, round(1.1 * RATE) : round(1.45 * RATE)]).any()
    clicks_s = np.flatnonzero(np.abs(heard_CN[0]) > 5000) / RATE
    assert clicks_s[0] == pytest.approx(0.5, abs=0.03)
    assert clicks_s[-1] == pytest.approx(2.25, abs=0.03)
    # What is sent as speech stays as it was recorded.
    decoded = sum(block.samples.shape[1] for block in read_blocks(data, 10))
    assert sound.num_samples - decoded == pytest.approx(RATE / 2, abs=RATE / 20)


def test_a_gap_counts_for_the_longest_sound() -> None:
    whole = encoded_video(
        [barred(i) for i in range(75)], FPS, "matroska", sound=click(0.5, 3), sound_codec="libopus"
    )
    data = without_sound_between(whole, "matroska", 0.6, 2.8)
    video = inspect_video(data, CONFIG)
    with pytest.raises(AudioTooLong):
        kept_sound(video, MediaConfig(max_audio_s=2, max_video_s=2))


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


@pytest.mark.parametrize("codec", ["nellymoser", "adpcm_swf"])
def test_a_video_with_unknown_sound_says_so_and_keeps_its_pictures(codec: str) -> None:
    video = inspect_video(with_unknown_sound(codec), CONFIG)
    with pytest.raises(SoundUnusable, match="unknown way") as raised:
        kept_sound(video, CONFIG)
    assert raised.value.detail
    assert video.duration_s == 2


@pytest.mark.parametrize("first", [0, 40])
def test_a_video_with_damaged_sound_says_so(first: int) -> None:
    data = bytearray(clip(speechlike(2 * RATE)[0], "matroska"))
    with av.open(io.BytesIO(data), "r") as file:
        packets = [packet for packet in file.demux(audio=0) if packet.size]
    for packet in packets[first:]:
        at = data.find(bytes(packet))
        data[at : at + packet.size] = bytes([255]) * packet.size
    video = inspect_video(bytes(data), CONFIG)
    with pytest.raises(SoundUnusable, match="damaged"):
        kept_sound(video, CONFIG)


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
