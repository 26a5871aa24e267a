"""Frames of a streamed MP4 count once their fragment is whole, however the bytes are cut."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bench.fragments import MAX_INDEX_BYTES, FragmentReader
from app.demo.run import demo_speech
from app.errors import UnsupportedMedia
from app.media.config import MediaConfig
from app.media.mp4 import Mp4Writer
from app.media.probe import probe_video
from app.media.recording import read_blocks
from app.values import Sound
from tests.unit.bench.fake_server import FRAMES, fragments

PIECES = fragments()
VIDEO = b"".join(PIECES)


@given(st.lists(st.integers(0, len(VIDEO)), max_size=20))
def test_all_frames_arrive_wherever_the_bytes_are_cut(cuts: list[int]) -> None:
    reader, edges = FragmentReader(), [0, *sorted(cuts), len(VIDEO)]
    pieces = [VIDEO[a:b] for a, b in itertools.pairwise(edges)]
    assert sum(reader.feed(piece) for piece in pieces) == FRAMES


def test_frames_arrive_with_the_last_byte_of_their_fragment() -> None:
    whole, halved = FragmentReader(), FragmentReader()
    for piece in PIECES[:3]:
        arrived = whole.feed(piece)
        early = halved.feed(piece[:-1])
        assert early < arrived
        assert early + halved.feed(piece[-1:]) == arrived


def test_the_sound_track_is_not_counted() -> None:
    samples = sum(block.samples.shape[1] for block in read_blocks(demo_speech(), 1e9))
    sound = Sound(demo_speech(), 48_000, 1, samples * 3)
    writer = Mp4Writer(64, 64, Fraction(25), sound, MediaConfig(), num_frames=FRAMES)
    video = writer.write(np.zeros((FRAMES, 64, 64, 3), np.uint8)) + writer.finish()
    facts = probe_video(video)
    assert facts.sound is not None
    assert facts.frames == FRAMES == FragmentReader().feed(video)


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x00\x00\x01ftyp",
        b"<html>this is an answer of a proxy",
        b"\x00\x00\x00\x08ftyp" + (MAX_INDEX_BYTES + 1).to_bytes(4) + b"moof",
    ],
    ids=["impossible size", "no MP4", "index without end"],
)
def test_what_is_no_mp4_is_told(data: bytes) -> None:
    reader = FragmentReader()
    with pytest.raises(UnsupportedMedia):
        reader.feed(data)
