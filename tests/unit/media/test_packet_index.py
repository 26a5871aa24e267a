import struct

import numpy as np
import pytest

from app.errors import UnsupportedMedia
from app.media.packet_index import is_index_absurd
from app.media.samples import decode_mono
from tests.unit.media.recordings import encoded, speechlike


def test_mp4_that_claims_millions_of_packets_is_refused() -> None:
    data = bytearray(encoded(speechlike(48_000), 48_000, "ipod", "aac"))
    assert not is_index_absurd(bytes(data))
    start = data.index(b"stsz")
    struct.pack_into(">I", data, start + 8, 1)  # one byte each: nothing follows the count
    struct.pack_into(">I", data, start + 12, 100_000_000)
    assert is_index_absurd(bytes(data))
    with pytest.raises(UnsupportedMedia, match="claims more packets"):
        decode_mono(bytes(data))


def run_of_fragments(count: int) -> bytes:
    return struct.pack(">I4sII", 16, b"trun", 0, count)


def test_many_fragments_together_are_refused() -> None:
    assert not is_index_absurd(run_of_fragments(900) * 900)
    assert is_index_absurd(run_of_fragments(900) * 1200)
    assert is_index_absurd(struct.pack(">I4sQII", 1, b"trun", 24, 0, 2_000_000))


def test_compressed_table_of_contents_is_refused() -> None:
    assert is_index_absurd(struct.pack(">I4sI", 16, b"cmov", 0) + bytes(100))


def test_minutes_of_uncompressed_sound_are_no_absurdity() -> None:
    data = encoded(np.zeros((1, 8_000 * 130), np.float32), 8_000, "mov", "pcm_s16le")
    assert not is_index_absurd(data)


@pytest.mark.parametrize("data", [b"", b"stsz", b"trun" * 3, b"\0\0\0\x10stsz"])
def test_scraps_are_no_index(data: bytes) -> None:
    assert not is_index_absurd(data)
