import io
import struct
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.media.config import MediaConfig
from app.media.mp4 import Mp4Writer
from app.media.probe import probe_video
from app.media.video import VideoWriter
from app.timeline import frame_count
from app.values import Sound
from tests.unit.media.recordings import sound_from

CONFIG = MediaConfig(preset="ultrafast")
FPS = st.sampled_from(
    [Fraction(n) for n in (1, 8, 24, 25, 30, 50, 60)]
    + [Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60000, 1001), Fraction(25, 2)]
)


def tone(duration_s: float, rate: int, channels: int = 1) -> Sound:
    time = np.arange(round(duration_s * rate)) / rate
    wave = (8000 * np.sin(2 * np.pi * 440 * time)).astype(np.int16)
    return sound_from(np.tile(wave, (channels, 1)), rate)


def grey(frames: int, height: int = 64, width: int = 64) -> NDArray[np.uint8]:
    """Frames that all differ."""
    levels = (np.arange(frames) * 7 % 200 + 20).astype(np.uint8)
    return np.broadcast_to(levels[:, None, None, None], (frames, height, width, 3)).copy()


def written(writer: VideoWriter, pixels: NDArray[np.uint8], group: int = 8) -> list[bytes]:
    parts = [writer.write(pixels[at : at + group]) for at in range(0, len(pixels), group)]
    return [*parts, writer.finish()]


def boxes(data: bytes) -> Iterator[tuple[str, bytes]]:
    at = 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        assert size >= 8
        assert at + size <= len(data), "a box is cut"
        yield kind.decode(), data[at + 8 : at + size]
        at += size


def samples_of(data: bytes) -> tuple[NDArray[np.float32], float]:
    """All decoded sound, mono, and the media time of its first sample."""
    with av.open(io.BytesIO(data), "r") as container:
        frames = list(container.decode(audio=0))
    sound = np.concatenate([frame.to_ndarray().mean(axis=0) for frame in frames])
    first = frames[0]
    assert first.pts is not None
    assert first.time_base is not None
    return sound.astype(np.float32), float(first.pts * first.time_base)


def pictures_of(data: bytes) -> list[NDArray[np.uint8]]:
    with av.open(io.BytesIO(data), "r") as container:
        return [
            np.asarray(
                frame.to_ndarray(format="rgb24", src_colorspace="ITU709", dst_colorspace="ITU709"),
                np.uint8,
            )
            for frame in container.decode(video=0)
        ]


@settings(deadline=None, max_examples=40)
@given(FPS, st.floats(0.02, 3), st.sampled_from([44100, 48000]), st.integers(1, 2))
def test_picture_and_sound_end_together(
    fps: Fraction, duration_s: float, rate: int, channels: int
) -> None:
    sound = tone(duration_s, rate, channels)
    frames = frame_count(sound.duration_s, fps)
    writer = Mp4Writer(64, 64, fps, sound, CONFIG)
    facts = probe_video(b"".join(written(writer, grey(frames))))
    assert facts.frames == frames
    assert facts.picture.errors == 0
    assert facts.picture.start_s == 0
    assert facts.picture.end_s == frames / fps
    assert facts.is_constant_rate
    assert facts.fps in (fps, 0)
    assert facts.sound is not None
    assert facts.sound.errors == 0
    assert abs(facts.sound.start_s) <= Fraction(1, rate)
    assert abs(facts.sound.end_s - frames / fps) <= Fraction(1, rate)
    # A decoder that ignores how short the last AAC frame is overruns by less than one of them.
    overhang_s = Fraction(facts.sound.decoded, rate) - frames / fps
    assert -Fraction(1, rate) <= overhang_s < Fraction(1024, rate)


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(60), Fraction(30000, 1001)])
@pytest.mark.parametrize("rate", [44100, 48000])
def test_click_and_flash_meet(fps: Fraction, rate: int) -> None:
    flash = 37
    frames = 60
    sound = np.zeros((1, round(frames / fps * rate)), np.int16)
    sound[0, round(flash / fps * rate) :][:4] = 30000
    pixels = np.full((frames, 64, 64, 3), 16, np.uint8)
    pixels[flash] = 255
    writer = Mp4Writer(64, 64, fps, sound_from(sound, rate), CONFIG)
    data = b"".join(written(writer, pixels))
    heard, start_s = samples_of(data)
    click_s = start_s + int(np.abs(heard).argmax()) / rate
    levels = [picture.mean() for picture in pictures_of(data)]
    assert int(np.argmax(levels)) == flash
    assert abs(click_s - flash / fps) < 0.005


def test_frames_leave_as_they_come_and_can_be_played() -> None:
    sound = tone(40 / 25, 48_000)
    writer = Mp4Writer(64, 64, Fraction(25), sound, CONFIG)
    pixels = grey(40)
    so_far = b""
    for group in range(5):
        part = writer.write(pixels[8 * group : 8 * group + 8])
        kinds = [kind for kind, _ in boxes(part)]
        assert kinds[: 2 * (group == 0)] == ["ftyp", "moov"] * (group == 0)
        assert kinds[-2:] == ["moof", "mdat"]
        so_far += part
        facts = probe_video(so_far)
        assert facts.picture.errors == 0
        assert facts.frames >= 8 * group + 5
        assert facts.sound is not None
        # Enough sound for the pictures that are there.
        assert facts.picture.end_s <= facts.sound.end_s + Fraction(1024, 48_000)
    assert probe_video(so_far + writer.finish()).frames == 40


def test_colours_survive() -> None:
    colours = np.array(
        [
            *((0, 0, 0), (255, 255, 255), (128, 128, 128), (255, 0, 0), (0, 255, 0), (0, 0, 255)),
            *((224, 172, 138), (90, 56, 37), (20, 60, 90), (250, 220, 10)),
        ],
        np.uint8,
    )
    pixels = np.broadcast_to(colours[:, None, None], (len(colours), 64, 64, 3))
    writer = Mp4Writer(64, 64, Fraction(25), None, MediaConfig(crf=10))
    data = b"".join(written(writer, pixels))
    for colour, picture in zip(colours, pictures_of(data), strict=True):
        assert np.abs(picture[16:48, 16:48].astype(int) - colour).max() <= 3
    facts = probe_video(data)
    assert facts.colours == (1, 1, 1, 1)
    assert facts.pixel_format == "yuv420p"
    assert facts.sound is None


def test_picture_is_not_moved_or_mirrored() -> None:
    pixels = np.full((4, 64, 96, 3), 40, np.uint8)
    pixels[:, 8:24, 64:88] = 220
    writer = Mp4Writer(96, 64, Fraction(25), None, CONFIG)
    picture = pictures_of(b"".join(written(writer, pixels)))[-1].astype(int)
    assert np.abs(picture - pixels[-1]).mean() < 4


def test_tags_are_in_the_header() -> None:
    tags = {"title": "A talk", "comment": "synthetic video \u00e9"}
    writer = Mp4Writer(64, 48, Fraction(25), tone(2, 48_000), CONFIG, tags)
    facts = probe_video(writer.write(grey(8, 48)))
    assert (facts.width, facts.height) == (64, 48)
    assert facts.tags["title"] == "A talk"
    assert facts.tags["comment"] == "synthetic video \u00e9"
    writer.close()


@pytest.mark.parametrize("frames", [1, 20, 50])
def test_another_number_of_frames_than_announced_makes_a_correct_file(frames: int) -> None:
    fps = Fraction(25)
    writer = Mp4Writer(64, 64, fps, tone(1.2, 48_000), CONFIG)
    facts = probe_video(b"".join(written(writer, grey(frames))))
    assert facts.frames == frames
    assert facts.sound is not None
    assert abs(facts.sound.end_s - frames / fps) <= Fraction(2048, 48_000)


def test_sound_past_its_end_is_silent() -> None:
    writer = Mp4Writer(64, 64, Fraction(25), tone(0.4, 48_000), CONFIG, num_frames=50)
    heard, _ = samples_of(b"".join(written(writer, grey(50))))
    assert np.abs(heard[:19_200]).max() > 0.2
    assert np.abs(heard[24_000:]).max() < 1e-3


def test_keyframes_come_at_the_asked_interval() -> None:
    config = MediaConfig(keyframe_interval_s=0.4, preset="ultrafast")
    writer = Mp4Writer(64, 64, Fraction(25), None, config)
    facts = probe_video(b"".join(written(writer, np.full((40, 64, 64, 3), 90, np.uint8))))
    assert facts.picture.keyframes == 4


def test_wrong_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="even"):
        Mp4Writer(63, 64, Fraction(25), None, CONFIG)
    writer = Mp4Writer(64, 64, Fraction(25), None, CONFIG)
    with pytest.raises(ValueError, match="frames must be"):
        writer.write(grey(2, 32))


def test_closed_writer_takes_no_more() -> None:
    writer = Mp4Writer(64, 64, Fraction(25), tone(1, 48_000), CONFIG)
    writer.write(grey(8))
    writer.close()
    writer.close()
    with pytest.raises(ValueError, match="closed"):
        writer.write(grey(8))


def test_video_without_frames_is_empty() -> None:
    assert Mp4Writer(64, 64, Fraction(25), tone(1, 48_000), CONFIG).finish() == b""
