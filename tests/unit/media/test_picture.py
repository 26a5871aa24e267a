"""Pictures of every kind of video have the colours that were meant."""

import io
from fractions import Fraction

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from app.media.config import MediaConfig
from app.media.frame_reader import FrameReader
from app.media.picture import Painter
from app.media.video_file import inspect_video
from tests.unit.media.videos import encoded_video

COLOURS = [
    *((0, 0, 0), (255, 255, 255), (128, 128, 128), (255, 0, 0), (0, 255, 0), (0, 0, 255)),
    *((224, 172, 138), (90, 56, 37), (20, 60, 90), (250, 220, 10)),
]
WEIGHTS = {"601": (0.299, 0.114), "709": (0.2126, 0.0722), "2020": (0.2627, 0.0593)}
NUMBERS = {"601": 6, "709": 1, "2020": 9}


def coded(
    rgb: tuple[int, int, int], matrix: str, *, is_full: bool, bits: int = 8
) -> tuple[int, int, int]:
    """Luma and chroma of a colour by the book (ITU-T H.273, 8.3)."""
    red, blue = WEIGHTS[matrix]
    r, g, b = (value / 255 for value in rgb)
    luma = red * r + (1 - red - blue) * g + blue * b
    chroma = (b - luma) / (2 - 2 * blue), (r - luma) / (2 - 2 * red)
    unit = 2 ** (bits - 8)
    scale, low, wide = (
        (2**bits - 1, 0, 2**bits - 1) if is_full else (219 * unit, 16 * unit, 224 * unit)
    )
    values = [low + scale * luma, *(128 * unit + wide * value for value in chroma)]
    top = 2**bits - 1
    y, u, v = (min(max(round(value), 0), top) for value in values)
    return y, u, v


def flat(
    values: tuple[int, int, int], kind: str, width: int = 64, height: int = 64
) -> av.VideoFrame:
    frame = av.VideoFrame(width, height, kind)
    dtype = np.uint16 if "10" in kind else np.uint8
    for plane, value in zip(frame.planes, values, strict=True):
        plane.update(np.full(plane.buffer_size // dtype().itemsize, value, dtype).tobytes())
    return frame


def painted(frame: av.VideoFrame) -> NDArray[np.int64]:
    pixel: NDArray[np.uint8] = Painter(frame.width, frame.height).paint(frame)[8, 8]
    return pixel.astype(np.int64)


@pytest.mark.parametrize("matrix", WEIGHTS)
@pytest.mark.parametrize("is_full", [False, True])
@pytest.mark.parametrize("kind", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le"])
def test_stated_matrix_and_range_are_used(kind: str, is_full: bool, matrix: str) -> None:
    for colour in COLOURS:
        bits = 10 if "10" in kind else 8
        frame = flat(coded(colour, matrix, is_full=is_full, bits=bits), kind)
        frame.colorspace, frame.color_range = NUMBERS[matrix], 2 if is_full else 1
        assert np.abs(painted(frame) - colour).max() <= 1


@pytest.mark.parametrize(("size", "matrix"), [((640, 480), "601"), ((1280, 720), "709")])
def test_unstated_colours_are_those_of_the_size(size: tuple[int, int], matrix: str) -> None:
    for colour in COLOURS:
        frame = flat(coded(colour, matrix, is_full=False), "yuv420p", *size)
        assert np.abs(painted(frame) - colour).max() <= 1


def test_jpeg_formats_are_of_full_range() -> None:
    for colour in COLOURS:
        frame = flat(coded(colour, "601", is_full=True), "yuvj420p")
        assert np.abs(painted(frame) - colour).max() <= 1


def test_pictures_of_high_dynamic_range_are_not_pale() -> None:
    # 75 % of HLG is the white of a diffuse surface (ITU-R BT.2408); as plain video it were 190.
    frame = flat((64 + 657, 512, 512), "yuv420p10le")
    frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc = 9, 1, 9, 18
    assert painted(frame).min() > 205


def test_transparency_is_composited() -> None:
    rgba = np.zeros((16, 16, 4), np.uint8)
    rgba[..., 0], rgba[..., 3] = 200, 128
    frame = av.VideoFrame.from_ndarray(rgba, format="rgba")
    shown = Painter(16, 16, (0, 0, 100)).paint(frame)[3, 3]
    assert np.abs(shown.astype(int) - (100, 0, 50)).max() <= 1


@pytest.mark.parametrize("kind", ["gray", "rgb24", "gbrp", "pal8", "yuva420p", "gray10le", "nv12"])
def test_other_pixel_formats_become_rgb(kind: str) -> None:
    shown = Painter(32, 16).paint(av.VideoFrame(64, 32, kind))
    assert shown.shape == (16, 32, 3)
    assert shown.dtype == np.uint8


def test_a_picture_of_one_pixel_is_enlarged() -> None:
    assert Painter(4, 2).paint(av.VideoFrame(1, 1, "rgb24")).shape == (2, 4, 3)


@pytest.mark.parametrize("codec", ["libx264", "mjpeg", "prores"])
def test_colours_of_a_file_are_seen(codec: str) -> None:
    kind = {"libx264": "yuv420p", "mjpeg": "yuvj420p", "prores": "yuv422p10le"}[codec]
    pictures = [np.full((64, 64, 3), colour, np.uint8) for colour in COLOURS]
    options = {"crf": "8"} if codec == "libx264" else {"qmin": "1", "q": "1"}
    data = encoded_video(pictures, Fraction(25), "mov", codec, pixel_format=kind, options=options)
    reader = FrameReader(inspect_video(data, MediaConfig()), Fraction(25), None)
    shown = reader.read(range(len(COLOURS)))[:, 16:48, 16:48].mean(axis=(1, 2))
    assert np.abs(shown - np.array(COLOURS)).max() <= 6


def test_the_coded_size_is_not_the_shown_one() -> None:
    # 1080 rows are coded as 1088.
    data = encoded_video([np.full((54, 90, 3), 200, np.uint8)] * 2)
    with av.open(io.BytesIO(data), "r") as container:
        assert container.streams.video[0].height == 54
    reader = FrameReader(inspect_video(data, MediaConfig()), Fraction(25), None)
    assert np.abs(reader.read([0]).astype(int) - 200).max() <= 3
