"""How many pictures a piece of a fragmented MP4 brings, read from its boxes (ISO/IEC 14496-12)."""

import struct
from collections.abc import Iterator

PICTURE_TRACK = 1
"""`app.media.mp4` writes the pictures as the first track."""

_HEAD = struct.Struct(">I4s")
_FULL = 4
"""Bytes of a full box's version and flags, before its fields."""


def pictures_in(data: bytes) -> int:
    """Return how many pictures the fragments in `data` hold.

    Args:
        data: whole boxes, as `Mp4Writer` returns them.
    """
    return sum(
        _samples(traf)
        for moof in _boxes(memoryview(data), b"moof")
        for traf in _boxes(moof, b"traf")
        if _number(next(_boxes(traf, b"tfhd"))) == PICTURE_TRACK
    )


def _samples(traf: memoryview) -> int:
    return sum(_number(trun) for trun in _boxes(traf, b"trun"))


def _number(box: memoryview) -> int:
    """Return the first field: of `tfhd` the track, of `trun` its samples."""
    return int.from_bytes(box[_FULL : _FULL + 4])


def _boxes(data: memoryview, kind: bytes) -> Iterator[memoryview]:
    """Yield what the boxes of a kind hold, those within other boxes left out."""
    at = 0
    while at + _HEAD.size <= len(data):
        size, name = _HEAD.unpack_from(data, at)
        if size < _HEAD.size:
            return
        if name == kind:
            yield data[at + _HEAD.size : at + size]
        at += size
