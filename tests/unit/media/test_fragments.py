"""Pictures are counted where they leave, not where they are written."""

from fractions import Fraction

import numpy as np
import pytest

from app.media.config import MediaConfig
from app.media.fragments import pictures_in
from app.media.frames import decode_frames
from app.media.mp4 import Mp4Writer
from tests.unit.media.recordings import sound_from

SIDE = 64
GROUPS = (2, 2, 4, 8, 8, 1)


def written(fps: int, is_live: bool, sound_s: float) -> list[bytes]:
    sound = sound_from(np.zeros((1, round(48_000 * sound_s)), np.int16), 48_000)
    writer = Mp4Writer(
        *(SIDE, SIDE, Fraction(fps), sound if sound_s else None, MediaConfig()),
        num_frames=sum(GROUPS),
        is_live=is_live,
    )
    random = np.random.default_rng(0)
    pieces = [writer.write(random.integers(0, 255, (n, SIDE, SIDE, 3), np.uint8)) for n in GROUPS]
    return [*pieces, writer.finish()]


@pytest.mark.parametrize("fps", [1, 25, 60])
@pytest.mark.parametrize("is_live", [True, False])
@pytest.mark.parametrize("has_sound", [True, False])
def test_what_is_counted_can_be_decoded(fps: int, is_live: bool, has_sound: bool) -> None:
    pieces = written(fps, is_live, sum(GROUPS) / fps if has_sound else 0)
    video, counted = b"", 0
    for piece in pieces:
        video += piece
        counted += pictures_in(piece)
        if video:
            assert len(list(decode_frames(video))) == counted
    assert counted == sum(GROUPS)


@pytest.mark.parametrize("fps", [1, 10, 25, 60])
def test_of_a_live_video_no_more_than_one_picture_waits(fps: int) -> None:
    waiting = 0
    pieces = written(fps, True, sum(GROUPS) / fps)
    for group, piece in zip(GROUPS[:4], pieces, strict=False):
        waiting += group - pictures_in(piece)
        assert waiting <= 1


@pytest.mark.parametrize("data", [b"", b"\0\0", b"\0\0\0\0moof", b"\0\0\0\x08free"])
def test_what_is_no_fragment_holds_none(data: bytes) -> None:
    assert pictures_in(data) == 0
