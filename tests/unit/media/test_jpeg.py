"""Frames as JPEG files."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.media.jpeg import encode_jpegs
from app.media.label import COMMENT


def gradient() -> NDArray[np.uint8]:
    x = np.linspace(0, 255, 128).astype(np.uint8)
    red, green = np.broadcast_to(x, (64, 128)), np.broadcast_to(x[::-1], (64, 128))
    frame = np.stack([red, green, np.full((64, 128), 40, np.uint8)], axis=-1)
    return np.stack([frame, frame[:, ::-1]])


def opened(jpeg: bytes) -> Image.Image:
    return Image.open(io.BytesIO(jpeg))


def test_each_frame_is_a_file_in_the_colours_it_had() -> None:
    frames = gradient()
    jpegs = encode_jpegs(frames, 95, "metadata")
    assert len(jpegs) == 2
    for frame, jpeg in zip(frames, jpegs, strict=True):
        assert jpeg.startswith(b"\xff\xd8")
        assert np.abs(np.asarray(opened(jpeg)).astype(int) - frame).mean() < 2


def test_a_lower_quality_is_smaller() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (1, 64, 64, 3), np.uint8)
    sizes = [len(encode_jpegs(noise, quality, "none")[0]) for quality in (20, 60, 95)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[2] / 2


@pytest.mark.parametrize("label", ["visible", "metadata", "none"])
def test_a_frame_says_that_it_is_synthetic_as_a_video_does(label: str) -> None:
    frames = np.full((1, 256, 256, 3), 128, np.uint8)
    image = opened(encode_jpegs(frames, 95, label)[0])
    assert (image.info.get("comment") == COMMENT.encode()) == (label != "none")
    corner = np.asarray(image)[-14:, :60].astype(int)
    assert (np.ptp(corner) > 100) == (label == "visible")
    assert (frames == 128).all()
