"""How large an index an MP4 makes FFmpeg build before the first packet is read.

Three tables state a number of packets without holding anything for each of them, and FFmpeg
takes 36 bytes for every one: a kilobyte could ask for gigabytes.
"""

import struct

MAX_PACKETS = 1_000_000
"""Ten minutes of pictures and sound have some 70,000."""

# FFmpeg reads these boxes wherever they lie, so they are looked for everywhere. That sound or
# pictures spell one, with a size that makes sense before it, is a chance of one to 10,000 in 25 MB.
_KINDS = (b"stsz", b"stz2", b"trun", b"cmov")


def is_index_absurd(data: bytes) -> bool:
    """Whether a file's tables claim more packets than any recording has.

    Uncompressed sound counts every sample as a packet; those are allowed as far as their bytes
    are in the file. A compressed table of contents (cmov) is absurd in itself: nobody writes it.
    """
    return sum(_claimed(data, kind) for kind in _KINDS) > MAX_PACKETS


def _claimed(data: bytes, kind: bytes) -> int:
    """Return how many packets all boxes of a kind claim together."""
    claimed, at = 0, data.find(kind, 4)
    while at >= 0 and claimed <= MAX_PACKETS:
        (size,) = struct.unpack_from(">I", data, at - 4)
        if size < 2 or 16 <= size <= len(data):
            start = at + (12 if size == 1 else 4)  # 1: the real size takes eight bytes more
            fields = data[start : start + 12].ljust(12, b"\0")
            first, second = struct.unpack_from(">II", fields, 4)
            if kind == b"trun":
                claimed += first
            elif kind == b"cmov":
                claimed += MAX_PACKETS + 1
            elif kind == b"stz2" or not first or first * second > len(data):
                claimed += second
        at = data.find(kind, at + 4)
    return claimed
