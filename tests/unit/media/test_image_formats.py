import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from app.errors import UnsupportedMedia
from app.media.config import MediaConfig
from app.media.image import decode_portrait
from tests.unit.media.heic import heic
from tests.unit.media.photos import (
    KINDS,
    picture,
    saved,
    stored_for,
)

CONFIG = MediaConfig()


def swapped_profile() -> bytes:
    """A profile whose red and blue change places."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = profile.index(b"rXYZ"), profile.index(b"bXYZ")
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(profile)


@pytest.mark.parametrize("quarter_turns", [0, 1, 2, 3])
def test_heic_is_read_upright(quarter_turns: int) -> None:
    stored = np.ascontiguousarray(np.rot90(picture(64, 96), -quarter_turns))
    decoded = decode_portrait(heic(stored, quarter_turns), CONFIG)
    pixels = decoded.portrait.pixels.astype(int)
    assert not decoded.is_animated
    assert pixels.shape == (64, 96, 3)
    assert np.abs(pixels[8:24, 8:40] - (255, 0, 0)).max() < 20
    assert np.abs(pixels[8:24, 56:88] - (0, 255, 0)).max() < 20


def test_colour_profile_of_heic_is_applied() -> None:
    flat = np.broadcast_to(np.array([200, 30, 30], np.uint8), (64, 64, 3)).copy()
    pixels = decode_portrait(heic(flat, profile=swapped_profile()), CONFIG).portrait.pixels
    assert np.abs(pixels.astype(int) - (30, 30, 200)).max() < 16


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_cut_heic_is_refused(part: float) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    data = heic(noise)
    with pytest.raises(UnsupportedMedia):
        decode_portrait(data[: int(part * len(data))], CONFIG)


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_is_read_whatever_follows_it(kind: str) -> None:
    whole = saved(picture(), kind)
    decoded = decode_portrait(whole + b"a note" * 50, CONFIG)
    assert not decoded.is_animated
    pixels = decoded.portrait.pixels.astype(int)
    assert np.abs(pixels[4:12, 4:20] - (255, 0, 0)).max() < 12
    assert np.abs(pixels[20:28, 28:44] - 255).max() < 12


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF"])
def test_first_picture_of_an_animation_counts_and_is_said_so(kind: str) -> None:
    out = io.BytesIO()
    first, second = (Image.new("RGB", (48, 32), colour) for colour in ((250, 0, 0), (0, 0, 250)))
    first.save(out, kind, save_all=True, append_images=[second, first], duration=100)
    decoded = decode_portrait(out.getvalue(), CONFIG)
    assert decoded.is_animated
    assert np.abs(decoded.portrait.pixels.astype(int) - (250, 0, 0)).max() < 8


def test_second_picture_of_a_camera_is_no_animation() -> None:
    out = io.BytesIO()
    Image.fromarray(picture()).save(
        out, "MPO", save_all=True, append_images=[Image.new("RGB", (48, 32))]
    )
    decoded = decode_portrait(out.getvalue(), CONFIG)
    assert not decoded.is_animated
    assert decoded.portrait.pixels.shape == (32, 48, 3)


@pytest.mark.parametrize("kind", ["WEBP", "AVIF", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_read_in_other_formats(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {"quality": 100} if kind == "AVIF" else {}
    data = saved(stored_for(orientation, picture()), kind, exif=exif, **options)
    pixels = decode_portrait(data, CONFIG).portrait.pixels.astype(int)
    assert pixels.shape == (32, 48, 3)
    assert np.abs(pixels[4:12, 4:20] - (255, 0, 0)).max() < 20
    assert np.abs(pixels[4:12, 28:44] - (0, 255, 0)).max() < 20


@pytest.mark.parametrize("dtype", [">u2", "<u2"])
def test_sixteen_bit_grey_of_either_byte_order_is_scaled(dtype: str) -> None:
    grey = np.arange(256, dtype=np.uint16).reshape(16, 16) * 257
    out = io.BytesIO()
    mode = "I;16B" if dtype == ">u2" else "I;16"
    Image.frombytes(mode, (16, 16), grey.astype(dtype).tobytes()).save(out, "TIFF")
    pixels = decode_portrait(out.getvalue(), CONFIG).portrait.pixels
    assert (pixels[..., 0] == np.arange(256).reshape(16, 16)).all()


@pytest.mark.parametrize("mode", ["F", "I"])
def test_pixels_without_a_known_scale_are_refused(mode: str) -> None:
    out = io.BytesIO()
    Image.new(mode, (8, 8), 70_000).save(out, "TIFF")
    with pytest.raises(UnsupportedMedia, match="neither RGB, grey nor CMYK"):
        decode_portrait(out.getvalue(), CONFIG)


def test_cmyk_jpeg_has_the_colours_that_a_viewer_shows() -> None:
    out = io.BytesIO()
    # Pillow writes Adobe's marker, and with it the inverted values.
    Image.fromarray(picture()).convert("CMYK").save(out, "JPEG", quality=98)
    assert b"Adobe" in out.getvalue()
    pixels = decode_portrait(out.getvalue(), CONFIG).portrait.pixels.astype(int)
    assert np.abs(pixels[4:12, 4:20] - (255, 0, 0)).max() < 12
    assert np.abs(pixels[20:28, 28:44] - 255).max() < 12


def test_palette_with_transparency_shows_the_background() -> None:
    image = Image.new("P", (4, 4), 0)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 1), 1)
    for kind, transparency in (("PNG", 0), ("PNG", bytes([0, 255])), ("GIF", 0)):
        out = io.BytesIO()
        image.save(out, kind, transparency=transparency)
        config = MediaConfig(background_rgb=(9, 8, 7))
        pixels = decode_portrait(out.getvalue(), config).portrait.pixels
        assert pixels[0, 0].tolist() == [9, 8, 7]
        assert pixels[1, 1].tolist() == [0, 0, 255]


@pytest.mark.parametrize(("mode", "colour"), [("LA", (40, 0)), ("RGBA", (40, 40, 40, 0))])
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF", "TIFF"])
def test_alpha_of_every_format_shows_the_background(
    kind: str, mode: str, colour: tuple[int, ...]
) -> None:
    out = io.BytesIO()
    image = Image.new(mode, (16, 16), colour)
    image.convert("RGBA" if kind in ("WEBP", "AVIF") else mode).save(out, kind)
    assert (decode_portrait(out.getvalue(), CONFIG).portrait.pixels == 255).all()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_colour_profile_is_applied(kind: str) -> None:
    options = {"quality": 100} if kind in ("JPEG", "WEBP", "AVIF") else {}
    flat = np.broadcast_to(np.array([200, 30, 30], np.uint8), (32, 32, 3)).copy()
    data = saved(flat, kind, icc_profile=swapped_profile(), **options)
    pixels = decode_portrait(data, CONFIG).portrait.pixels.astype(int)
    assert np.abs(pixels[8:24, 8:24] - (30, 30, 200)).max() < 12


@pytest.mark.parametrize("profile", [b"junk", b"\0" * 200])
def test_damaged_profile_is_passed_over(profile: bytes) -> None:
    data = saved(picture(), "PNG", icc_profile=profile)
    assert (decode_portrait(data, CONFIG).portrait.pixels == picture()).all()


def test_rgb_profile_on_a_grey_photo_is_no_obstacle() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    out = io.BytesIO()
    Image.new("L", (16, 16), 90).save(out, "PNG", icc_profile=profile)
    assert (
        np.abs(decode_portrait(out.getvalue(), CONFIG).portrait.pixels.astype(int) - 90).max() < 2
    )
