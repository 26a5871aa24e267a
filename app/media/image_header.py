"""What the first bytes of a photo say: size, EXIF orientation, and whether the file is whole.

Reads JPEG and PNG without decoding them, so that a limit of pixels holds before memory is spent.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from app.errors import UnsupportedMedia

_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_SOF_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SOS, _APP1 = 0xDA, 0xE1
_STANDALONE_MARKERS = frozenset((0x01, *range(0xD0, 0xD9)))
_EXIF_ORIENTATION = 0x0112


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """A photo before it is decoded.

    Attributes:
        width: px as stored, before the orientation is applied.
        height: px as stored.
        orientation: EXIF orientation in [1, 8]; 1 is upright.
    """

    width: int
    height: int
    orientation: int


@dataclass(frozen=True, slots=True)
class ImageFormat:
    """One accepted file format; a further format is one more row of `FORMATS`.

    Attributes:
        name: as users know it.
        magic: the bytes that every such file starts with.
        read: returns the header; raises UnsupportedMedia when the file is damaged or cut.
    """

    name: str
    magic: bytes
    read: Callable[[bytes], ImageHeader]


def read_header(data: bytes) -> ImageHeader:
    """Return the header of a JPEG or PNG file.

    Raises:
        UnsupportedMedia: another format, or a file that is damaged or ends early.
    """
    for image_format in FORMATS:
        if data.startswith(image_format.magic):
            try:
                return image_format.read(data)
            except struct.error:  # a length points past the last byte
                raise _cut(image_format.name) from None
    names = " or ".join(image_format.name for image_format in FORMATS)
    raise UnsupportedMedia(
        "The portrait is not an image of a known format.",
        f"Send a photo as {names}; the bytes decide, not the file's name.",
    )


def _read_jpeg(data: bytes) -> ImageHeader:
    """Return what a JPEG's segments before the first scan say (ITU T.81 annex B)."""
    size: tuple[int, int] | None = None
    orientation = 1
    for marker, start, stop in _jpeg_segments(data):
        if marker in _SOF_MARKERS and size is None:
            height, width = struct.unpack_from(">HH", data, start + 1)
            size = width, height
        elif marker == _APP1 and data[start : start + 6] == b"Exif\0\0":
            orientation = _orientation(data[start + 6 : stop])
        elif marker == _SOS:
            # Within a scan 0xFF is always followed by 0 or a restart marker: this is the end.
            if data.find(b"\xff\xd9", stop) < 0:
                raise _cut("JPEG")
            break
    else:
        raise _cut("JPEG")
    if size is None or 0 in size:
        raise _damaged("JPEG")
    return ImageHeader(*size, orientation)


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (marker, first payload byte, end) of each segment after the start of the image."""
    at = 2
    while at < len(data):
        if data[at] != 0xFF:
            raise _damaged("JPEG")
        (marker,) = struct.unpack_from(">B", data, at + 1)
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker in _STANDALONE_MARKERS:
            at += 2
        else:
            (length,) = struct.unpack_from(">H", data, at + 2)
            if length < 2:
                raise _damaged("JPEG")
            yield marker, at + 4, at + 2 + length
            at += 2 + length


def _read_png(data: bytes) -> ImageHeader:
    """Return what a PNG's chunks say, after checking that they are whole (PNG 3rd ed., 5.3)."""
    size: tuple[int, int] | None = None
    orientation = 1
    at = len(_PNG_MAGIC)
    while True:
        length, kind = struct.unpack_from(">I4s", data, at)
        payload = data[at + 8 : at + 8 + length]
        (digest,) = struct.unpack_from(">I", data, at + 8 + length)
        is_critical = kind[:1].isupper()
        if is_critical and zlib.crc32(payload, zlib.crc32(kind)) != digest:
            raise _damaged("PNG")
        if kind == b"IHDR":
            size = struct.unpack_from(">II", payload)
        elif kind == b"eXIf":
            orientation = _orientation(payload)
        elif kind == b"IEND":
            break
        at += 12 + length
    if size is None or 0 in size:
        raise _damaged("PNG")
    return ImageHeader(*size, orientation)


def _orientation(tiff: bytes) -> int:
    """Return the orientation in [1, 8] that an EXIF block names, 1 where it names none."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return 1
    try:
        (directory,) = struct.unpack_from(f"{order}I", tiff, 4)
        (entries,) = struct.unpack_from(f"{order}H", tiff, directory)
        for entry in range(entries):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", tiff, directory + 2 + 12 * entry)
            if tag == _EXIF_ORIENTATION:
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass  # a damaged note beside the photo does not spoil the photo
    return 1


def _cut(name: str) -> UnsupportedMedia:
    return UnsupportedMedia(
        f"The portrait is a {name} file that ends early.", "Upload the whole file again."
    )


def _damaged(name: str) -> UnsupportedMedia:
    return UnsupportedMedia(
        f"The portrait is a damaged {name} file.", "Save the photo again and send that."
    )


FORMATS = (
    ImageFormat("JPEG", b"\xff\xd8\xff", _read_jpeg),
    ImageFormat("PNG", _PNG_MAGIC, _read_png),
)
