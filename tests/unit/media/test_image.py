import contextlib
import struct
import zlib
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.errors import AppError, BadRequest, TooLarge, UnsupportedMedia
from app.media.config import MediaConfig
from app.media.image import decode_portrait, fit
from app.values import Portrait
from tests.unit.media.photos import (
    KINDS,
    jpeg,
    jpeg_with_exif,
    picture,
    png,
    png_chunk,
    png_with_exif,
    saved,
    stored_for,
    tiff,
)

CONFIG = MediaConfig()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("save", [jpeg_with_exif, png_with_exif])
def test_portrait_is_upright_under_every_orientation(
    save: Callable[[NDArray[np.uint8], bytes], bytes], orientation: int, order: str
) -> None:
    data = save(stored_for(orientation, picture()), tiff(orientation, order))
    pixels = decode_portrait(data, CONFIG).portrait.pixels
    assert pixels.shape == (32, 48, 3)
    assert pixels.flags.c_contiguous
    assert np.abs(pixels[4:12, 4:20].astype(int) - (255, 0, 0)).max() < 12
    assert np.abs(pixels[4:12, 28:44].astype(int) - (0, 255, 0)).max() < 12


@pytest.mark.parametrize("block", [b"", b"II*\0", b"junk" * 9, tiff(9, "<"), tiff(0, ">")])
def test_portrait_with_damaged_exif_is_taken_as_stored(block: bytes) -> None:
    assert decode_portrait(jpeg_with_exif(picture(), block), CONFIG).portrait.pixels.shape == (
        32,
        48,
        3,
    )


def test_png_is_exact_rgb() -> None:
    pixels = decode_portrait(png(picture()[..., ::-1]), CONFIG).portrait.pixels
    assert pixels.dtype == np.uint8
    assert (pixels == picture()).all()


def test_grey_and_sixteen_bit_become_eight_bit_rgb() -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    wide = np.repeat(grey[..., None], 3, axis=2).astype(np.uint16) * 257
    for stored in (grey, grey.astype(np.uint16) * 257, wide):
        assert (decode_portrait(png(stored), CONFIG).portrait.pixels == grey[..., None]).all()


def test_palette_becomes_rgb() -> None:
    rows = b"".join(b"\0" + bytes([0, 1]) for _ in range(2))
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        (
            png_chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 8, 3, 0, 0, 0)),
            png_chunk(b"PLTE", bytes([10, 20, 30, 200, 100, 50])),
            png_chunk(b"IDAT", zlib.compress(rows)),
            png_chunk(b"IEND", b""),
        )
    )
    pixels = decode_portrait(data, CONFIG).portrait.pixels
    assert pixels[0].tolist() == [[10, 20, 30], [200, 100, 50]]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_transparency_shows_the_background_and_never_hidden_colours(dtype: type) -> None:
    full = np.iinfo(dtype).max
    bgra: NDArray[np.uint8 | np.uint16] = np.zeros((300, 2, 4), dtype)
    bgra[..., 2] = full  # red, hidden above and half seen below
    bgra[150:, :, 3] = full // 2 + 1
    pixels = decode_portrait(png(bgra), CONFIG).portrait.pixels
    assert (pixels[:150] == 255).all()
    assert np.abs(pixels[150:].astype(int) - (255, 127, 127)).max() <= 1
    blue = decode_portrait(png(bgra), MediaConfig(background_rgb=(0, 0, 200))).portrait.pixels
    assert (blue[:150] == (0, 0, 200)).all()


def test_progressive_jpeg_and_bytes_after_the_end_are_read() -> None:
    data = jpeg(picture(), cv2.IMWRITE_JPEG_PROGRESSIVE, 1) + b"a note by the camera"
    assert decode_portrait(data, CONFIG).portrait.pixels.shape == (32, 48, 3)


@settings(deadline=None)
@given(data=st.data())
def test_cut_file_is_refused_wherever_a_pixel_is_lost(data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from([saved(picture(), kind) for kind in KINDS]))
    cut = data.draw(st.integers(1, len(whole) - 1))
    try:
        pixels = decode_portrait(whole[:cut], CONFIG).portrait.pixels
    except UnsupportedMedia:
        return
    assert (pixels == decode_portrait(whole, CONFIG).portrait.pixels).all()


def test_cut_jpeg_is_refused_though_its_thumbnail_is_whole() -> None:
    thumbnail = jpeg(picture(8, 8))
    whole = jpeg_with_exif(picture(), tiff(1, "<") + thumbnail)
    with pytest.raises(UnsupportedMedia, match="damaged or ends early"):
        decode_portrait(whole[:-40], CONFIG)


def test_png_with_a_wrong_byte_is_refused() -> None:
    data = bytearray(png(picture()))
    data[60] ^= 1
    with pytest.raises(UnsupportedMedia, match="damaged"):
        decode_portrait(bytes(data), CONFIG)


@pytest.mark.parametrize(
    "data", [b"a text, renamed", b"GIF89a" + bytes(40), b"\xff\xd8\xff", b"\0"]
)
def test_what_is_no_photo_is_refused(data: bytes) -> None:
    with pytest.raises(UnsupportedMedia) as refusal:
        decode_portrait(data, CONFIG)
    assert refusal.value.hint


def test_empty_portrait_is_a_bad_request() -> None:
    with pytest.raises(BadRequest):
        decode_portrait(b"", CONFIG)


def test_bomb_is_refused_by_its_header() -> None:
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + head + png_chunk(b"IDAT", b"") + png_chunk(b"IEND", b"")
    with pytest.raises(TooLarge):
        decode_portrait(data, CONFIG)


def test_limit_of_pixels_is_inclusive() -> None:
    data = jpeg(picture())
    assert decode_portrait(data, MediaConfig(max_pixels=32 * 48)).portrait.pixels.size
    with pytest.raises(TooLarge):
        decode_portrait(data, MediaConfig(max_pixels=32 * 48 - 1))


def test_large_photo_is_made_smaller_while_it_is_decoded() -> None:
    large = np.full((90, 9000, 3), 77, np.uint8)
    for kind in ("JPEG", "PNG"):
        pixels = decode_portrait(saved(large, kind), CONFIG).portrait.pixels
        height, width, _ = pixels.shape
        assert 2048 < width <= 4500
        assert width / height == pytest.approx(100, rel=0.1)
        assert np.abs(pixels.astype(int) - 77).max() < 3
    just = np.full((10, 4000, 3), 77, np.uint8)
    assert decode_portrait(saved(just, "PNG"), CONFIG).portrait.pixels.shape == just.shape


@pytest.mark.parametrize("size", [(1, 1), (1, 50_000), (50_000, 1), (3, 2)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_odd_sizes_are_read(size: tuple[int, int], kind: str) -> None:
    pixels = decode_portrait(saved(np.zeros((*size, 3), np.uint8), kind), CONFIG).portrait.pixels
    assert min(pixels.shape[:2]) >= 1
    assert min(fit(Portrait(pixels), 64).portrait.pixels.shape[:2]) >= 2


@pytest.mark.parametrize("sides", [(0, 10), (10, 0), (0, 0)])
def test_photo_without_pixels_is_refused(sides: tuple[int, int]) -> None:
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", *sides, 8, 2, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + head + png_chunk(b"IDAT", b"") + png_chunk(b"IEND", b"")
    with pytest.raises(UnsupportedMedia):
        decode_portrait(data, CONFIG)


@pytest.mark.parametrize("kind", ["WEBP", "AVIF", "GIF", "TIFF", "BMP", "PNG"])
def test_limit_of_memory_holds_before_decoding(kind: str) -> None:
    data = saved(np.zeros((300, 300, 3), np.uint8), kind)
    assert decode_portrait(data, MediaConfig(max_decoded_bytes=300 * 300 * 17))
    with pytest.raises(TooLarge):
        decode_portrait(data, MediaConfig(max_decoded_bytes=300 * 300 * 4))


@pytest.mark.parametrize(
    "data",
    [
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n",
        b"P6\n2 2\n255\n" + bytes(12),
        b'/* XPM */\nstatic char *x[] = {"1 1 1 1", "a c #fff", "a"};',
        b"8BPS\0\1" + bytes(60),
        b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
    ],
    ids=["eps", "ppm", "xpm", "psd", "svg"],
)
def test_formats_off_the_list_are_not_even_tried(data: bytes) -> None:
    with pytest.raises(UnsupportedMedia, match="known format"):
        decode_portrait(data, CONFIG)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("side", [10_000, 20_000, 65_000])
def test_absurd_sizes_are_refused_without_a_warning(side: int) -> None:
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    rows = png_chunk(b"IDAT", zlib.compress(bytes(100)))
    with pytest.raises(TooLarge):
        decode_portrait(b"\x89PNG\r\n\x1a\n" + head + rows + png_chunk(b"IEND", b""), CONFIG)


MAGICS = [
    b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\0\1\0\0WEBPVP8 ", b"GIF89a", b"BM", b"II*\0",
    b"\0\0\0\x1cftypavif", b"\0\0\0\x18ftypheic",
]  # fmt: skip


@settings(deadline=None)
@given(st.sampled_from(MAGICS), st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(magic: bytes, rest: bytes) -> None:
    with contextlib.suppress(AppError):
        decode_portrait(magic + rest, CONFIG)


@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from([None, 2, 64, 101, 256]))
def test_fit_keeps_the_aspect_with_even_sides(height: int, width: int, side: int | None) -> None:
    fitted = fit(Portrait(np.zeros((height, width, 3), np.uint8)), side)
    to_height, to_width = fitted.portrait.pixels.shape[:2]
    assert to_height % 2 == to_width % 2 == 0
    assert fitted.portrait.pixels.flags.c_contiguous
    scale = side / max(height, width) if side else 1
    assert abs(to_height - height * scale) <= max(1.5, 2 - height * scale)
    assert abs(to_width - width * scale) <= max(1.5, 2 - width * scale)
    # Never stretched: the factors agree with the scale to half a pixel over each side.
    if min(height, width) * scale >= 1:
        assert abs(fitted.x_factor - scale) * width <= 0.5 + 1e-9
        assert abs(fitted.y_factor - scale) * height <= 0.5 + 1e-9


@pytest.mark.parametrize("side", [None, 100, 171, 800])
def test_points_move_by_the_factors(side: int | None) -> None:
    pixels = np.zeros((301, 223, 3), np.uint8)
    pixels[200:210, 100:110] = 255  # centred on x 105, y 205
    fitted = fit(Portrait(pixels), side)
    weight = fitted.portrait.pixels[..., 0].astype(float)
    y, x = (np.indices(weight.shape) + 0.5) * weight
    assert x.sum() / weight.sum() == pytest.approx(105 * fitted.x_factor, abs=0.1)
    assert y.sum() / weight.sum() == pytest.approx(205 * fitted.y_factor, abs=0.1)


def test_fit_without_a_change_keeps_the_pixels() -> None:
    fitted = fit(Portrait(picture()), None)
    assert (fitted.portrait.pixels == picture()).all()
    assert fitted.x_factor == fitted.y_factor == 1.0
