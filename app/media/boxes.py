"""The boxes of an MP4 (ISO/IEC 14496-12), walked where they lie."""

from collections.abc import Iterator

HEAD_BYTES = 8
"""Of a box: its size, then its kind."""


def boxes(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Yield kind and content of each box, those within other boxes left out.

    A last box that is cut comes as far as it goes; what cannot be a box ends the walk.
    """
    at = 0
    while at + HEAD_BYTES <= len(data):
        size = int.from_bytes(data[at : at + 4])
        if size < HEAD_BYTES:
            return
        yield bytes(data[at + 4 : at + HEAD_BYTES]), data[at + HEAD_BYTES : at + size]
        at += size


def within(data: memoryview, *path: bytes) -> Iterator[memoryview]:
    """Yield the content of each box at the end of a path of nested ones."""
    for kind, content in boxes(data):
        if kind == path[0]:
            if len(path) == 1:
                yield content
            else:
                yield from within(content, *path[1:])


def samples_in(fragment: memoryview, track: int) -> int:
    """Return how many samples of a track the content of a `moof` announces."""
    return sum(
        _number(run)
        for of_track in within(fragment, b"traf")
        for header in within(of_track, b"tfhd")
        if _number(header) == track
        for run in within(of_track, b"trun")
    )


def _number(full: memoryview) -> int:
    """Return the first field, after version and flags: a `tfhd`'s track, a `trun`'s samples."""
    return int.from_bytes(full[4:8])
