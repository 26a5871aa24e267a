"""Photos for tests: files of every kind that is read, and some that are not quite."""

import io
import struct
import zlib
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF")


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


def saved(rgb: NDArray[np.uint8], kind: str, **options: object) -> bytes:
    """A file by Pillow."""
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, kind, **cast("Any", options))
    return out.getvalue()


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
