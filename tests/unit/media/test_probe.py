from fractions import Fraction

import numpy as np
import pytest

from app.errors import UnsupportedMedia
from app.media.config import MediaConfig
from app.media.mp4 import Mp4Writer
from app.media.probe import probe_video


def video(frames: int) -> bytes:
    writer = Mp4Writer(64, 64, Fraction(25), None, MediaConfig(preset="ultrafast"))
    noise = np.random.default_rng(0).integers(0, 255, (frames, 64, 64, 3), np.uint8)
    return writer.write(noise) + writer.finish()


def test_probe_counts_what_is_there() -> None:
    facts = probe_video(video(10))
    assert (facts.frames, facts.fps, facts.width, facts.height) == (10, Fraction(25), 64, 64)
    assert facts.picture.end_s == Fraction(10, 25)
    assert facts.picture.errors == 0


def test_probe_sees_damage() -> None:
    data = bytearray(video(10))
    middle = (data.index(b"mdat") + len(data)) // 2
    data[middle : middle + 4000] = bytes(4000)
    facts = probe_video(bytes(data))
    assert facts.frames < 10 or facts.picture.errors


@pytest.mark.parametrize("data", [b"", b"text", bytes(100)])
def test_probe_refuses_what_is_no_video(data: bytes) -> None:
    with pytest.raises(UnsupportedMedia):
        probe_video(data)
