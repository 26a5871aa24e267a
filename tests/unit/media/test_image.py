import contextlib
import struct
import zlib
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.errors import AppError, BadRequest, TooLarge, UnsupportedMedia
from app.media.config import MediaConfig
from app.media.image import decode_portrait, fit
from app.values import Portrait

CONFIG = MediaConfig()


def picture(height: int = 32, width: int = 48) -> NDArray[np.uint8]:
    """RGB: red above left, green above right, blue below left, white below right."""
    pixels = np.full((height, width, 3), 255, np.uint8)
    pixels[: height // 2, : width // 2] = 255, 0, 0
    pixels[: height // 2, width // 2 :] = 0, 255, 0
    pixels[height // 2 :, : width // 2] = 0, 0, 255
    return pixels


def png(stored: NDArray[np.generic]) -> bytes:
    """PNG of what OpenCV takes: grey, BGR or BGRA."""
    return cv2.imencode(".png", np.asarray(stored))[1].tobytes()


def jpeg(rgb: NDArray[np.uint8], *options: int) -> bytes:
    encoded = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 98, *options])
    return encoded[1].tobytes()


def png_chunk(kind: bytes, payload: bytes) -> bytes:
    digest = zlib.crc32(kind + payload)
    return struct.pack(">I4s", len(payload), kind) + payload + struct.pack(">I", digest)


def tiff(orientation: int, order: str) -> bytes:
    """An EXIF block with a foreign tag before the orientation."""
    magic = b"II*\0" if order == "<" else b"MM\0*"
    rows = struct.pack(f"{order}HHIHxx", 0x0100, 3, 1, 7)
    rows += struct.pack(f"{order}HHIHxx", 0x0112, 3, 1, orientation)
    return magic + struct.pack(f"{order}IH", 8, 2) + rows + bytes(4)


def jpeg_with_exif(rgb: NDArray[np.uint8], block: bytes) -> bytes:
    plain = jpeg(rgb)
    segment = b"Exif\0\0" + block
    return plain[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + plain[2:]


def png_with_exif(rgb: NDArray[np.uint8], block: bytes) -> bytes:
    plain = png(rgb[..., ::-1])
    return plain[:33] + png_chunk(b"eXIf", block) + plain[33:]


def stored_for(orientation: int, upright: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """How a camera stores `upright` under each orientation (the inverse of showing it)."""
    undo: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: np.rot90(np.fliplr(a), 1),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(np.fliplr(a), -1),
        8: lambda a: np.rot90(a, -1),
    }
    return np.ascontiguousarray(undo[orientation](upright))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("save", [jpeg_with_exif, png_with_exif])
def test_portrait_is_upright_under_every_orientation(
    save: Callable[[NDArray[np.uint8], bytes], bytes], orientation: int, order: str
) -> None:
    data = save(stored_for(orientation, picture()), tiff(orientation, order))
    pixels = decode_portrait(data, CONFIG).pixels
    assert pixels.shape == (32, 48, 3)
    assert pixels.flags.c_contiguous
    assert np.abs(pixels[4:12, 4:20].astype(int) - (255, 0, 0)).max() < 12
    assert np.abs(pixels[4:12, 28:44].astype(int) - (0, 255, 0)).max() < 12


@pytest.mark.parametrize("block", [b"", b"II*\0", b"junk" * 9, tiff(9, "<"), tiff(0, ">")])
def test_portrait_with_damaged_exif_is_taken_as_stored(block: bytes) -> None:
    assert decode_portrait(jpeg_with_exif(picture(), block), CONFIG).pixels.shape == (32, 48, 3)


def test_png_is_exact_rgb() -> None:
    pixels = decode_portrait(png(picture()[..., ::-1]), CONFIG).pixels
    assert pixels.dtype == np.uint8
    assert (pixels == picture()).all()


def test_grey_and_sixteen_bit_become_eight_bit_rgb() -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    wide = np.repeat(grey[..., None], 3, axis=2).astype(np.uint16) * 257
    for stored in (grey, grey.astype(np.uint16) * 257, wide):
        assert (decode_portrait(png(stored), CONFIG).pixels == grey[..., None]).all()


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
    pixels = decode_portrait(data, CONFIG).pixels
    assert pixels[0].tolist() == [[10, 20, 30], [200, 100, 50]]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_transparency_shows_the_background_and_never_hidden_colours(dtype: type) -> None:
    full = np.iinfo(dtype).max
    bgra: NDArray[np.uint8 | np.uint16] = np.zeros((300, 2, 4), dtype)
    bgra[..., 2] = full  # red, hidden above and half seen below
    bgra[150:, :, 3] = full // 2 + 1
    pixels = decode_portrait(png(bgra), CONFIG).pixels
    assert (pixels[:150] == 255).all()
    assert np.abs(pixels[150:].astype(int) - (255, 127, 127)).max() <= 1
    blue = decode_portrait(png(bgra), MediaConfig(background_rgb=(0, 0, 200))).pixels
    assert (blue[:150] == (0, 0, 200)).all()


def test_progressive_jpeg_and_bytes_after_the_end_are_read() -> None:
    data = jpeg(picture(), cv2.IMWRITE_JPEG_PROGRESSIVE, 1) + b"a note by the camera"
    assert decode_portrait(data, CONFIG).pixels.shape == (32, 48, 3)


@given(data=st.data())
def test_cut_file_is_refused_wherever_it_ends(data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from([jpeg(picture()), png(picture()[..., ::-1])]))
    cut = data.draw(st.integers(1, len(whole) - 1))
    with pytest.raises(UnsupportedMedia):
        decode_portrait(whole[:cut], CONFIG)


def test_cut_jpeg_is_refused_though_its_thumbnail_is_whole() -> None:
    thumbnail = jpeg(picture(8, 8))
    whole = jpeg_with_exif(picture(), tiff(1, "<") + thumbnail)
    with pytest.raises(UnsupportedMedia, match="ends early"):
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
    assert decode_portrait(data, MediaConfig(max_pixels=32 * 48)).pixels.size
    with pytest.raises(TooLarge):
        decode_portrait(data, MediaConfig(max_pixels=32 * 48 - 1))


@given(st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"]), st.binary(max_size=200))
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
