"""Which frames of a streamed MP4 have arrived: its fragments are read while they come."""

from app.errors import UnsupportedMedia
from app.media.boxes import HEAD_BYTES, samples_in, within

MAX_INDEX_BYTES = 1 << 20
"""Of a `moov` or `moof`, which are kept until they are whole; of all else only the length is."""

_PICTURE = b"vide"
_FILE, _MOVIE, _FRAGMENT, _MEDIA = b"ftyp", b"moov", b"moof", b"mdat"


class FragmentReader:
    """Counts the frames whose fragment is complete; holds no picture.

    A frame has arrived when all of its fragment has: a player shows nothing of half a fragment.
    """

    def __init__(self) -> None:
        self._kept = bytearray()
        self._skip_bytes = 0
        self._skipped = b""
        self._picture_track = 0
        self._coming = 0
        self._is_mp4 = False

    def feed(self, data: bytes) -> int:
        """Return how many more frames have arrived with `data`.

        Args:
            data: the next bytes of the file, however it was cut.

        Raises:
            UnsupportedMedia: the bytes are no MP4.
        """
        self._kept += data
        arrived = 0
        while self._kept:
            if self._skip_bytes:
                skipped = min(self._skip_bytes, len(self._kept))
                del self._kept[:skipped]
                self._skip_bytes -= skipped
            elif not self._next_box():
                break
            if self._skipped == _MEDIA and not self._skip_bytes:
                arrived += self._coming
                self._coming, self._skipped = 0, b""
        return arrived

    def _next_box(self) -> bool:
        """Take up the box that begins here; False if more of it must come first."""
        kept = self._kept
        if len(kept) < HEAD_BYTES:
            return False
        size, kind = int.from_bytes(kept[:4]), bytes(kept[4:8])
        is_index = kind in (_MOVIE, _FRAGMENT)
        self._is_mp4 = self._is_mp4 or kind == _FILE
        if not self._is_mp4 or size < HEAD_BYTES or (is_index and size > MAX_INDEX_BYTES):
            raise UnsupportedMedia("The answer is no MP4 that can be followed.")
        if not is_index:
            self._skip_bytes, self._skipped = size, kind
            return True
        if len(kept) < size:
            return False
        content = memoryview(bytes(kept[HEAD_BYTES:size]))
        del kept[:size]
        if kind == _MOVIE:
            self._picture_track = _picture_track(content)
        else:
            self._coming = samples_in(content, self._picture_track)
        return True


def _picture_track(movie: memoryview) -> int:
    """Return the picture track's id, 0 if there is none."""
    for track in within(movie, b"trak"):
        for handler in within(track, b"mdia", b"hdlr"):
            if handler[8:12] == _PICTURE:
                (header,) = within(track, b"tkhd")
                # Version 1 has times of 64 bits before the id.
                at = 20 if header[0] == 1 else 12
                return int.from_bytes(header[at : at + 4])
    return 0
