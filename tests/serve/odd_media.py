"""Media that are bad or odd, made for `test_odd_inputs`."""

import io
import struct
import zlib
from functools import cache

import cv2
import numpy as np
import soundfile
from numpy.typing import NDArray

from app.face.analyzer import FaceAnalyzer
from app.face.config import FaceConfig
from app.face.nets import FaceNets
from app.weights.store import WeightStore
from tests.serve.conftest import png, wav
from tests.turned import turned

Image = NDArray[np.uint8]

NOISE = np.random.default_rng(0).integers(0, 255, (300, 300, 3), np.uint8)


@cache
def astronaut() -> Image:
    from skimage import data

    pixels: Image = data.astronaut()  # type: ignore[no-untyped-call]
    return pixels


@cache
def photo() -> bytes:
    return png(astronaut())


def encoded(pixels: Image, kind: str = ".jpg") -> bytes:
    return bytes(cv2.imencode(kind, pixels[:, :, ::-1])[1])


def rotated(turns: int) -> bytes:
    return png(np.ascontiguousarray(np.rot90(astronaut()[:, 40:472], turns)))


@cache
def faces() -> bytes:
    """Return a photo of four faces."""
    face = astronaut()[:256, 96:352]
    return png(np.tile(face, (2, 2, 1)))


def scene(face_px: int) -> bytes:
    """Return a photo of 12 million pixels with a face so high in it."""
    side = round(512 * face_px / 109)
    picture = np.full((3000, 4000, 3), 128, np.uint8)
    small = cv2.resize(astronaut(), (side, side), interpolation=cv2.INTER_AREA)
    picture[2000 : 2000 + side, 2500 : 2500 + side] = small
    return encoded(picture)


def profile() -> bytes:
    analyzer = FaceAnalyzer(FaceNets.locate(WeightStore().path), FaceConfig())
    (mesh,) = analyzer.analyze(astronaut())
    return png(turned(astronaut(), mesh, -60))


def png_of(width: int, height: int) -> bytes:
    """Return a PNG of 70 bytes that claims a size."""
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0" * 4)),
        (b"IEND", b""),
    )
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def animation(kind: str) -> bytes:
    """Return the astronaut followed by noise."""
    from PIL import Image as Pictures

    first = Pictures.fromarray(astronaut())
    noise = Pictures.fromarray(np.resize(NOISE, (512, 512, 3)))
    file = io.BytesIO()
    first.save(file, kind, save_all=True, append_images=[noise], duration=100)
    return file.getvalue()


def tone(seconds: float, *pitches_hz: float, rate_hz: int = 16_000) -> bytes:
    times_s = np.arange(round(seconds * rate_hz)) / rate_hz
    waves = np.sin(2 * np.pi * np.outer(pitches_hz, times_s))
    return wav((8000 * waves.mean(axis=0)).astype(np.int16), rate_hz)


def floats(samples: NDArray[np.float32]) -> bytes:
    """Return a WAV file of 32-bit floats."""
    data = samples.tobytes()
    head = struct.pack("<4sIHHIIHH", b"fmt ", 16, 3, 1, 16_000, 64_000, 4, 32)
    body = b"WAVE" + head + struct.pack("<4sI", b"data", len(data)) + data
    return struct.pack("<4sI", b"RIFF", len(body)) + body


def long_recording() -> bytes:
    """Return 601 s of sound in about 2 MB: WAV, 8 bits at 4 kHz."""
    samples = (np.arange(601 * 4000) % 97 + 80).astype(np.uint8).tobytes()
    head = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 4000, 4000, 1, 8)
    body = b"WAVE" + head + struct.pack("<4sI", b"data", len(samples)) + samples
    return struct.pack("<4sI", b"RIFF", len(body)) + body


def many_channels() -> bytes:
    """Return Ogg Vorbis of nine channels, more than FFmpeg's frames point to directly."""
    file = io.BytesIO()
    samples = np.random.default_rng(0).standard_normal((16_000, 9)) * 0.1
    soundfile.write(file, samples, 16_000, format="OGG", subtype="VORBIS")
    return file.getvalue()
