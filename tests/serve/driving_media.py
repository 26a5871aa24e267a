"""Driving and talking videos made of the astronaut: a face that moves as it is told."""

import io
from collections.abc import Sequence
from fractions import Fraction

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

TURN_DEG = 12.0


def rolled(photo: Image, degrees: float) -> Image:
    """Return a photo turned clockwise about its middle."""
    height, width = photo.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1.0)
    return np.asarray(
        cv2.warpAffine(photo, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def nodding(photo: Image, frames: int, hidden: Sequence[int] = ()) -> list[Image]:
    """Return pictures of a head that rolls from side to side; black where it is hidden."""
    angles = TURN_DEG * np.sin(np.arange(frames) * 2 * np.pi / 24)
    return [
        np.zeros_like(photo) if index in hidden else rolled(photo, float(angle))
        for index, angle in enumerate(angles)
    ]


def mp4(
    pictures: Sequence[Image],
    fps: Fraction,
    stamps: Sequence[int] | None = None,
    sound: NDArray[np.int16] | None = None,
    rate_hz: int = 48_000,
) -> bytes:
    """Return a file, H.264 and AAC.

    Args:
        pictures: (H, W, 3) uint8 RGB.
        fps: of the pictures.
        stamps: their times in milliseconds, for a variable rate.
        sound: (N,) mono, none for a silent file.
        rate_hz: of the sound.
    """
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=fps)
        video.height, video.width = pictures[0].shape[:2]
        video.pix_fmt = "yuv420p"
        video.options = {"preset": "ultrafast", "crf": "18"}
        base = Fraction(1, 1000) if stamps else 1 / fps
        video.codec_context.time_base = base
        audio = container.add_stream("aac", rate=rate_hz) if sound is not None else None
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = stamps[index] if stamps else index, base
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is not None and sound is not None:
            heard = av.AudioFrame.from_ndarray(sound[None], format="s16", layout="mono")
            heard.sample_rate, heard.pts = rate_hz, 0
            heard.time_base = Fraction(1, rate_hz)
            container.mux(audio.encode(heard))
            container.mux(audio.encode(None))
    return file.getvalue()
