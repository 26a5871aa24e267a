"""How much a file of sound announces, so that one which was cut on its way is seen.

Only what the bytes say is used: FFmpeg's own durations are guesses for many of these formats.
"""

import re
import struct

_UNKNOWN_SIZE_FROM = 0x7FFF_0000
"""Streaming writers leave 0, 0xFFFFFFFF or (sox) a little under 2 GiB where a size belongs."""

_MP3_SEARCH_BYTES = 4096
_XING = re.compile(rb"(?:Xing|Info)\0\0\0([\x00-\x0f])")
_EBML_SEGMENT = b"\x18\x53\x80\x67"
_EBML_SEARCH_BYTES = 4096


# Some writers count a header twice or forget a pad byte; so little is not worth a refusal.
_SLACK_BYTES = 64


def is_cut(data: bytes, demuxer: str) -> bool:
    """Return whether the file is shorter than it says; `demuxer` as `announced_bytes` takes it."""
    return announced_bytes(data, demuxer) > len(data) + _SLACK_BYTES


def announced_bytes(data: bytes, demuxer: str) -> int:
    """Return how many bytes the file must have by its own words, 0 if it does not say.

    Args:
        data: the file.
        demuxer: FFmpeg's name of its container.
    """
    read = _READERS.get(demuxer.split(",")[0])
    try:
        return read(data) if read else 0
    except struct.error:  # the way to the announcement ends past the last byte
        return len(data) + 2**20


def announced_samples(data: bytes, demuxer: str) -> int:
    """Return how many samples the file must hold by its own words, 0 if it does not say."""
    at = data.find(b"fLaC")
    if demuxer != "flac" or not 0 <= at <= len(data) - 26:
        return 0
    return int.from_bytes(data[at + 21 : at + 26], "big") & (2**36 - 1)  # RFC 9639, 8.2


def _wav(data: bytes) -> int:
    """RIFF and RF64 (EBU Tech 3306)."""
    at, wide_size = 12, None
    while True:
        kind, size = struct.unpack_from("<4sI", data, at)
        if kind == b"ds64":
            (wide_size,) = struct.unpack_from("<Q", data, at + 16)
        elif kind == b"data":
            break
        at += 8 + size + size % 2
    if size == 0xFFFF_FFFF and wide_size is not None:
        size = wide_size
    elif size >= _UNKNOWN_SIZE_FROM:
        return 0
    return int(at + 8 + size)


def _avi(data: bytes) -> int:
    (size,) = struct.unpack_from("<I", data, 4)
    return 0 if size >= _UNKNOWN_SIZE_FROM else size + 8


def _aiff(data: bytes) -> int:
    (size,) = struct.unpack_from(">I", data, 4)
    return 0 if size >= _UNKNOWN_SIZE_FROM else size + 8


def _caf(data: bytes) -> int:
    """Apple Core Audio Format: the data chunk's size may be -1, up to the end."""
    at = 8
    while True:
        kind, size = struct.unpack_from(">4sq", data, at)
        if kind == b"data":
            return int(at + 12 + size) if size > 0 else 0
        if size < 0:
            return 0
        at += 12 + size


def _mov(data: bytes) -> int:
    """ISO/IEC 14496-12: the boxes at the top, up to the first that is none."""
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, at + 8)
        if size < 8 or not kind.isalnum():
            break
        at += size
    return int(at)


def _matroska(data: bytes) -> int:
    """RFC 8794: the segment's size; live recordings leave it unknown (all ones)."""
    at = data.find(_EBML_SEGMENT, 0, _EBML_SEARCH_BYTES) + len(_EBML_SEGMENT)
    (first,) = struct.unpack_from("B", data, at)
    length = 9 - first.bit_length()
    if at < len(_EBML_SEGMENT) or length > 8:
        return 0
    value = int.from_bytes(data[at : at + length], "big") - (1 << 7 * length)
    return 0 if value == (1 << 7 * length) - 1 else at + length + value


def _ogg(data: bytes) -> int:
    """RFC 3533: the end of the last page."""
    at = data.rfind(b"OggS")
    (segments,) = struct.unpack_from("B", data, at + 26)
    lacing = data[at + 27 : at + 27 + segments]
    return int(at + 27 + segments + sum(lacing) + 255 * (segments - len(lacing)))


def _mp3(data: bytes) -> int:
    """The bytes field of a Xing or Info header, counted from its frame's first byte."""
    start = 0
    if data[:3] == b"ID3":
        size = 0
        for byte in data[6:10]:
            size = size << 7 | byte
        start = 10 + size
    found = _XING.search(data, start, start + _MP3_SEARCH_BYTES)
    if not found or found[1][0] & 2 == 0:
        return 0
    has_frames = found[1][0] & 1
    (size,) = struct.unpack_from(">I", data, found.end() + 4 * has_frames)
    # The frame starts with 4 bytes and 9 to 32 of side information before the header.
    return int(max(0, found.start() - 36) + size)


_READERS = {
    "wav": _wav,
    "avi": _avi,
    "aiff": _aiff,
    "caf": _caf,
    "mov": _mov,
    "matroska": _matroska,
    "ogg": _ogg,
    "mp3": _mp3,
}
