"""What is told of an uploaded video before its pictures are decoded."""

import io
from fractions import Fraction
from itertools import accumulate

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from app.errors import AppError, BadRequest, TooLarge, UnsupportedMedia
from app.media.config import MediaConfig
from app.media.frame_reader import FrameReader
from app.media.recording import Abandoned
from app.media.video_file import inspect_video
from app.media.video_track import VideoTrack
from tests.unit.media.recordings import encoded, noise
from tests.unit.media.videos import barred, encoded_video

CONFIG = MediaConfig()
NTSC = [Fraction(n * 1000, 1001) for n in (24, 30, 60)]
RATES = [*NTSC, *(Fraction(n) for n in (24, 25, 30, 50, 60)), Fraction(25, 2)]
CONTAINERS = [
    ("mp4", "libx264"), ("mov", "libx264"), ("matroska", "libx264"), ("avi", "mpeg4"),
    ("mpegts", "libx264"), ("webm", "libvpx"), ("flv", "libx264"),
]  # fmt: skip


def pictures(count: int) -> list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    return [barred(i) for i in range(count)]


@settings(deadline=None, max_examples=25)
@given(st.sampled_from(RATES), st.sampled_from(CONTAINERS), st.integers(8, 40))
def test_rate_and_duration_are_exact_in_every_container(
    fps: Fraction, kind: tuple[str, str], count: int
) -> None:
    video = inspect_video(encoded_video(pictures(count), fps, *kind), CONFIG)
    assert video.pictures == count
    assert video.is_constant_rate
    # With less than a second by a clock of milliseconds, 24 and 23.976 Hz are the same.
    assert abs((count - 1) / video.fps - (count - 1) / fps) <= (
        Fraction(3, 1000) if count < 30 else 0
    )
    assert abs(video.duration_s - count / fps) <= (Fraction(1, 500) if count < 30 else 0)


def test_a_single_picture_stays_as_long_as_its_packet() -> None:
    video = inspect_video(encoded_video(pictures(1), Fraction(25, 2)), CONFIG)
    assert video.pictures == 1
    assert video.duration_s == Fraction(2, 25)


def test_a_variable_rate_is_the_average() -> None:
    gaps = [Fraction(1, 30), Fraction(1, 20), Fraction(1, 30), Fraction(1, 20)] * 10
    times = list(accumulate(gaps, initial=Fraction(0)))
    video = inspect_video(encoded_video(pictures(len(times)), times=times), CONFIG)
    assert not video.is_constant_rate
    assert video.fps == 24
    assert abs(video.duration_s - times[-1] - Fraction(1, 24)) < Fraction(1, 40)


@pytest.mark.parametrize(("fps", "nominal"), [(240, 60), (Fraction(1, 4), 1)])
def test_rates_beyond_those_of_a_result_are_clamped(fps: Fraction, nominal: int) -> None:
    video = inspect_video(encoded_video(pictures(6), Fraction(fps)), CONFIG)
    assert video.fps == nominal
    assert video.duration_s == 6 / Fraction(fps)


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_size_is_upright_even_and_of_square_pixels(turn: int) -> None:
    picture = np.full((48, 64, 3), 90, np.uint8)
    data = encoded_video([picture] * 2, turn={"degrees": turn}, aspect=Fraction(3, 2))
    video = inspect_video(data, CONFIG)
    assert (video.width, video.height) == ((48, 96) if turn % 180 else (96, 48))


def test_an_odd_last_row_and_column_are_cut() -> None:
    data = encoded_video([np.full((35, 51, 3), 90, np.uint8)] * 2, pixel_format="yuv444p")
    video = inspect_video(data, CONFIG)
    assert (video.width, video.height) == (50, 34)


def test_an_absurd_pixel_aspect_is_not_believed() -> None:
    data = encoded_video([np.full((48, 64, 3), 90, np.uint8)] * 2, aspect=Fraction(200, 1))
    assert inspect_video(data, CONFIG).width == 64


def test_a_delayed_picture_track_says_so() -> None:
    times = [1 + Fraction(i, 25) for i in range(5)]
    data = encoded_video(pictures(5), container="matroska", times=times)
    video = inspect_video(data, CONFIG)
    assert [video.start_s, video.duration_s] == [Fraction(1), Fraction(1, 5)]


def test_limits_are_told_before_decoding() -> None:
    data = encoded_video(pictures(50))
    for config, words in [
        (MediaConfig(max_video_s=1.9), "1.9 seconds"),
        (MediaConfig(max_video_pixels=1000), "64 x 48"),
        (MediaConfig(max_pixels=1000), "64 x 48"),
    ]:
        with pytest.raises(TooLarge, match=words):
            inspect_video(data, config)
    with pytest.raises(Abandoned):
        inspect_video(data, CONFIG, lambda: True)


def photo(kind: str) -> bytes:
    out = io.BytesIO()
    Image.fromarray(barred(1)).save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"not a video at all" * 40,
        photo("JPEG"), photo("PNG"), photo("WEBP"), photo("AVIF"),
        encoded(noise(4800).T, 48_000, "mp4", "aac"),
        encoded_video(pictures(3), container="avi", codec="ffv1"),
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
    ],
    ids=["text", "jpeg", "png", "webp", "avif", "sound", "ffv1", "playlist", "concat"],
)  # fmt: skip
def test_what_is_no_video_is_refused(data: bytes) -> None:
    with pytest.raises(UnsupportedMedia) as raised:
        inspect_video(data, CONFIG)
    assert raised.value.hint


def test_an_empty_upload_is_refused() -> None:
    with pytest.raises(BadRequest):
        inspect_video(b"", CONFIG)


def test_a_cover_is_no_picture_track() -> None:
    out = io.BytesIO()
    with av.open(out, "w", format="matroska") as file:
        stream = file.add_stream("pcm_s16le", rate=48_000, layout="mono")
        file.add_attachment("cover.jpg", "image/jpeg", photo("JPEG"))
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 480), np.int16), "s16", "mono")
        frame.sample_rate = 48_000
        file.mux(stream.encode(frame))
    with pytest.raises(UnsupportedMedia, match="no picture track"):
        inspect_video(out.getvalue(), CONFIG)


@pytest.mark.parametrize(("container", "codec"), [*CONTAINERS[:4], ("webm", "libvpx")])
@pytest.mark.parametrize("share", [0.3, 0.9, 0.97])
def test_a_cut_file_is_refused(container: str, codec: str, share: float) -> None:
    whole = encoded_video(pictures(40), Fraction(25), container, codec)
    with pytest.raises(UnsupportedMedia):
        inspect_video(whole[: int(len(whole) * share)], CONFIG)


FUZZED = [
    encoded_video(pictures(20), Fraction(25), container, codec)
    for container, codec in [("mp4", "libx264"), ("webm", "libvpx-vp9"), ("avi", "mpeg4")]
]


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(FUZZED),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=12),
)
def test_damage_is_read_or_refused_and_nothing_else(
    whole: bytes, hits: list[tuple[float, int]]
) -> None:
    data = bytearray(whole)
    refusals: list[AppError] = []
    for at, value in hits:
        data[int(at * len(data))] = value
    try:
        video = inspect_video(bytes(data), MediaConfig(max_video_s=60))
        reader = FrameReader(video, video.fps, 64)
        last = reader.num_slots - 1
        shape = reader.read([0, last // 2, last, max(0, last - 1)]).shape
        assert shape == (4, reader.height, reader.width, 3)
        reader.close()
    except AppError as refusal:
        refusals.append(refusal)
    assert all(refusal.hint for refusal in refusals)


def test_an_index_of_many_packets_is_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.media.video_track.MAX_PACKETS", 10)
    with pytest.raises(TooLarge):
        VideoTrack(encoded_video(pictures(11)), 10_000)
