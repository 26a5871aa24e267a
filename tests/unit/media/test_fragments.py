"""Pictures are counted where they leave, not where they are written."""

from fractions import Fraction

import numpy as np
import pytest

from app.media.config import MediaConfig
from app.media.fragments import pictures_in
from app.media.frames import decode_frames
from app.media.mp4 import FRAGMENT_FRAMES, LIVE_FRAGMENT_FRAMES, Mp4Writer
from tests.unit.media.recordings import sound_from

SIDE = 64
GROUPS = (2, 2, 4, 8, 8, 1)


def written(fps: int, fragment_frames: int, sound_s: float) -> list[bytes]:
    sound = sound_from(np.zeros((1, round(48_000 * sound_s)), np.int16), 48_000)
    writer = Mp4Writer(
        *(SIDE, SIDE, Fraction(fps), sound if sound_s else None, MediaConfig()),
        num_frames=sum(GROUPS),
        fragment_frames=fragment_frames,
    )
    random = np.random.default_rng(0)
    pieces = [writer.write(random.integers(0, 255, (n, SIDE, SIDE, 3), np.uint8)) for n in GROUPS]
    return [*pieces, writer.finish()]


@pytest.mark.parametrize("fps", [1, 25, 60])
@pytest.mark.parametrize("fragment_frames", [LIVE_FRAGMENT_FRAMES, FRAGMENT_FRAMES, 5])
@pytest.mark.parametrize("has_sound", [True, False])
def test_what_is_counted_can_be_decoded(fps: int, fragment_frames: int, has_sound: bool) -> None:
    pieces = written(fps, fragment_frames, sum(GROUPS) / fps if has_sound else 0)
    video, counted = b"", 0
    for piece in pieces:
        video += piece
        counted += pictures_in(piece)
        if video:
            assert len(list(decode_frames(video))) == counted
    assert counted == sum(GROUPS)


def test_of_a_live_video_no_more_than_one_picture_waits() -> None:
    waiting = 0
    for group, piece in zip(GROUPS[:4], written(25, LIVE_FRAGMENT_FRAMES, 1.0), strict=False):
        waiting += group - pictures_in(piece)
        assert waiting <= 1


@pytest.mark.parametrize("data", [b"", b"\0\0", b"\0\0\0\0moof", b"\0\0\0\x08free"])
def test_what_is_no_fragment_holds_none(data: bytes) -> None:
    assert pictures_in(data) == 0
