"""Every slot of an uploaded video shows the right picture, whichever way it is read."""

import io
from collections.abc import Callable
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.errors import UnsupportedMedia
from app.media.config import MediaConfig
from app.media.frame_reader import FrameReader
from app.media.picture import Painter
from app.media.picture_decoder import PictureDecoder
from app.media.recording import Abandoned
from app.media.video_file import inspect_video
from app.timeline import ping_pong
from tests.unit.media.videos import barred, encoded_video, index_of, indices_of

CONFIG = MediaConfig()
COUNT = 70
KINDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "one group": ("mp4", "libx264", {}),
    "B-frames": ("mov", "libx264", {"options": {"g": "9", "bf": "3"}}),
    "open groups": ("mp4", "libx264", {"options": {"g": "9", "x264-params": "open-gop=1"}}),
    "refresh": ("matroska", "libx264", {"options": {"x264-params": "keyint=20:intra-refresh=1"}}),
    "unordered AVI": ("avi", "libx264", {"options": {"g": "12", "bf": "3"}}),
    "AVI": ("avi", "mpeg4", {"options": {"bf": "2", "b": "2M"}}),
    "transport": ("mpegts", "libx264", {"options": {"g": "12"}}),
    "MPEG-2": ("mpegts", "mpeg2video", {"options": {"bf": "2", "b": "2M"}}),
    "program": ("mpeg", "mpeg2video", {"options": {"b": "2M"}}),
    "HEVC": ("mp4", "libx265", {"options": {"x265-params": "keyint=12:open-gop=1:log-level=none"}}),
    "VP8": ("webm", "libvpx", {"options": {"g": "20", "auto-alt-ref": "1", "lag-in-frames": "16"}}),
    "VP9": ("webm", "libvpx-vp9", {"options": {"g": "20", "lag-in-frames": "16"}}),
    "AV1": ("mp4", "libsvtav1", {"options": {"preset": "12", "g": "20"}}),
    "ProRes": ("mov", "prores", {"pixel_format": "yuv422p10le"}),
    "Motion JPEG": ("avi", "mjpeg", {"pixel_format": "yuvj420p"}),
    "H.263": ("3gp", "h263", {}),
    "GIF": ("gif", "gif", {"pixel_format": "rgb8"}),
    "APNG": ("apng", "apng", {"pixel_format": "rgb24"}),
    "10 bits": ("mp4", "libx265", {"pixel_format": "yuv420p10le"}),
}  # fmt: skip


def reader_of(
    data: bytes,
    fps: Fraction | None = None,
    side: int | None = None,
    is_left: Callable[[], bool] = lambda: False,
) -> FrameReader:
    video = inspect_video(data, CONFIG)
    return FrameReader(video, fps or video.fps, side, is_left)


def clip(count: int = COUNT, fps: Fraction = Fraction(25), **more: Any) -> bytes:  # noqa: ANN401
    return encoded_video([barred(i, 128, 96) for i in range(count)], fps, **more)


@pytest.mark.parametrize("name", KINDS)
def test_pictures_come_in_order_forwards_and_backwards(name: str) -> None:
    container, codec, more = KINDS[name]
    reader = reader_of(clip(container=container, codec=codec, **more))
    assert reader.num_slots == COUNT
    assert indices_of(reader.read(range(COUNT))) == list(range(COUNT))
    assert indices_of(reader.read(range(COUNT - 1, -1, -1))) == list(range(COUNT))[::-1]
    steps = [ping_pong(step, COUNT) for step in range(30, 30 + 2 * COUNT)]
    assert indices_of(reader.read(steps)) == steps
    reader.close()
    reader.close()


@settings(deadline=None, max_examples=12)
@given(
    st.lists(st.integers(0, COUNT - 1), min_size=1, max_size=12),
    st.sampled_from(["B-frames", "open groups", "refresh", "VP9"]),
)
def test_any_slot_can_be_read_at_any_time(slots: list[int], name: str) -> None:
    container, codec, more = KINDS[name]
    reader = reader_of(clip(container=container, codec=codec, **more))
    assert indices_of(reader.read(slots)) == slots


@settings(deadline=None, max_examples=20)
@given(
    st.sampled_from([Fraction(n) for n in (10, 25, 30, 50, 60)] + [Fraction(30000, 1001)]),
    st.lists(st.integers(10, 120), min_size=3, max_size=40),
    st.sampled_from(["mp4", "matroska"]),
)
def test_slot_shows_what_is_presented_at_its_middle(
    fps: Fraction, gaps_ms: list[int], container: str
) -> None:
    times = [Fraction(ms, 1000) for ms in accumulate(gaps_ms, initial=0)]
    reader = reader_of(clip(len(times), container=container, times=times), fps)
    middles = [(slot + Fraction(1, 2)) / fps for slot in range(reader.num_slots)]
    shown = [sum(time <= middle for time in times) - 1 for middle in middles]
    assert indices_of(reader.read(range(reader.num_slots))) == shown
    assert indices_of(reader.read(range(reader.num_slots - 1, -1, -1))) == shown[::-1]


@pytest.mark.parametrize("fps", [Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60)])
def test_a_clock_of_milliseconds_neither_drops_nor_doubles(fps: Fraction) -> None:
    reader = reader_of(clip(200, fps, container="webm", codec="libvpx"), fps)
    assert indices_of(reader.read(range(reader.num_slots))) == list(range(200))


@pytest.mark.parametrize("start", [None, Fraction(1)])
@pytest.mark.parametrize("pause_s", [0, 3])
def test_first_and_last_picture_fill_what_lies_beyond(start: Fraction | None, pause_s: int) -> None:
    at = start or Fraction(0)
    times = [at, at + Fraction(1, 25), at + Fraction(2, 25) + pause_s]
    reader = reader_of(clip(3, container="matroska", times=times), Fraction(25))
    shown = indices_of(reader.read(range(reader.num_slots)))
    assert shown == sorted(shown)
    assert set(shown) == {0, 1, 2}


@pytest.mark.parametrize(
    ("turn", "seen"),
    [
        ({"degrees": 90}, lambda p: np.rot90(p)),
        ({"degrees": 180}, lambda p: np.rot90(p, 2)),
        ({"degrees": 270}, lambda p: np.rot90(p, 3)),
        ({"degrees": 0, "hflip": True}, lambda p: p[:, ::-1]),
        ({"degrees": 0, "vflip": True}, lambda p: p[::-1]),
    ],
    ids=["90", "180", "270", "mirrored", "upside down"],
)
def test_pictures_are_upright(
    turn: dict[str, Any], seen: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
) -> None:
    # Four quarters of different grey.
    picture = np.repeat(np.repeat(np.array([[30, 90], [150, 210]], np.uint8), 32, 0), 48, 1)
    pixels = np.repeat(picture[:, :, None], 3, 2)
    reader = reader_of(encoded_video([pixels] * 2, turn=turn))
    shown = reader.read([0])[0]
    assert shown.shape == seen(pixels).shape
    assert np.abs(shown.astype(int) - seen(pixels)).mean() < 3


@pytest.mark.parametrize(
    ("side", "size"), [(None, (128, 96)), (64, (64, 48)), (256, (256, 192)), (101, (100, 76))]
)
def test_frames_have_the_asked_size(side: int | None, size: tuple[int, int]) -> None:
    reader = reader_of(clip(3), side=side)
    assert (reader.width, reader.height) == size
    frames = reader.read([1, 2])
    assert frames.shape == (2, size[1], size[0], 3)
    assert frames.dtype == np.uint8
    assert indices_of(frames) == [1, 2]


def test_a_stretched_pixel_is_squared() -> None:
    reader = reader_of(clip(2, aspect=Fraction(2)))
    assert reader.read([1]).shape == (1, 96, 256, 3)
    assert index_of(reader.read([1])[0]) == 1


def test_a_change_of_size_midway_is_scaled_away() -> None:
    # Two transport streams follow each other, as where a broadcast changes its format.
    small = encoded_video(
        [barred(i, 64, 48) for i in range(5)], container="mpegts", options={"bf": "0"}
    )
    times = [Fraction(i, 25) for i in range(5, 10)]
    large = encoded_video(
        [barred(i, 128, 96) for i in range(5, 10)],
        container="mpegts",
        times=times,
        options={"bf": "0"},
    )
    reader = reader_of(small + large)
    frames = reader.read(range(reader.num_slots))
    assert frames.shape[1:] == (48, 64, 3)
    assert set(indices_of(frames)) == set(range(10))


def test_few_pictures_are_held_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = reader_of(clip(200, options={"g": "150"}), side=64)
    held = []
    paint = Painter.paint

    def counted(painter: Painter, frame: av.VideoFrame) -> NDArray[np.uint8]:
        held.append(len(reader._held) + 1)
        return paint(painter, frame)

    monkeypatch.setattr(Painter, "paint", counted)
    for step in range(500):
        assert index_of(reader.read([ping_pong(step, 200)])[0]) == ping_pong(step, 200)
    assert max(held) <= 32


def test_reading_backwards_decodes_a_group_only_a_few_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader = reader_of(clip(200, options={"g": "50"}))
    decoded = 0
    feed = PictureDecoder._feed

    def counted(decoder: PictureDecoder) -> None:
        nonlocal decoded
        decoded += 1
        feed(decoder)

    monkeypatch.setattr(PictureDecoder, "_feed", counted)
    for slot in range(200):
        reader.read([slot, slot])
    assert decoded <= 202
    for slot in range(199, -1, -1):
        reader.read([slot])
    assert decoded < 202 + 2.5 * 200


def spoilt(data: bytes, numbers: list[int]) -> bytes:
    """The file with noise instead of some of its packets."""
    spoiled = bytearray(data)
    with av.open(io.BytesIO(data), "r") as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    for number in numbers:
        at, size = packets[number].pos, packets[number].size
        assert at is not None
        spoiled[at + 5 : at + size] = bytes([255]) * (size - 5)
    return bytes(spoiled)


@pytest.mark.parametrize("codec", ["libx264", "libvpx-vp9"])
def test_a_damaged_picture_repeats_the_one_before(codec: str) -> None:
    options = {"bf": "0", "g": "20"} if codec == "libx264" else {"g": "20"}
    data = clip(60, container="mp4", codec=codec, options=options)
    reader = reader_of(spoilt(data, [39]))
    shown = indices_of(reader.read(range(60)))
    assert shown[39] == 38
    assert shown[:39] + shown[40:] == [i for i in range(60) if i != 39]
    assert indices_of(reader.read([39, 38, 37])) == [38, 38, 37]


@pytest.mark.parametrize("codec", ["libx264", "libx265", "libvpx-vp9", "libsvtav1"])
def test_a_file_of_damaged_pictures_is_refused_when_they_come(codec: str) -> None:
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    reader = reader_of(spoilt(clip(60, codec=codec, options=options), list(range(10, 40))))
    assert indices_of(reader.read([0, 1, 2])) == [0, 1, 2]
    with pytest.raises(UnsupportedMedia, match="damaged"):
        reader.read(range(60))


def test_nobody_waits_for_a_session_that_left() -> None:
    has_left = False
    reader = reader_of(clip(10), is_left=lambda: has_left)
    reader.read([0])
    has_left = True
    with pytest.raises(Abandoned):
        reader.read([9])


def test_slots_outside_are_refused() -> None:
    reader = reader_of(clip(3))
    with pytest.raises(ValueError, match=r"\[0, 3\)"):
        reader.read([3])
    assert reader.read([]).shape == (0, 96, 128, 3)


@pytest.mark.parametrize("name", ["driving/d0", "driving/d12", "driving/d3", "talking/presenter"])
def test_real_videos_are_read_forwards_and_backwards(shared_media: Path, name: str) -> None:
    reader = reader_of((shared_media / f"{name}.mp4").read_bytes(), side=64)
    count = min(60, reader.num_slots)
    up = reader.read(range(count))
    assert (reader.read(range(count - 1, -1, -1))[::-1] == up).all()
