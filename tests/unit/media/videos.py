"""Videos for tests: every picture says in its upper half, as bars, which one it is."""

import io
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.video.reformatter import Colorspace, Interpolation
from numpy.typing import NDArray

BITS = 8
EXACT = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP


def barred(index: int, width: int = 64, height: int = 48) -> NDArray[np.uint8]:
    """A picture whose upper half spells `index` in bars, the lowest bit at the left."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:] = np.array([50, 90, 60]) + index % 7 * 12
    for bit in range(BITS):
        columns = slice(bit * width // BITS, (bit + 1) * width // BITS)
        pixels[: height // 2, columns] = 215 if index >> bit & 1 else 35
    return pixels


def index_of(pixels: NDArray[np.uint8]) -> int:
    """The index that a picture's bars spell."""
    height, width = pixels.shape[:2]
    row = pixels[height // 8 : height * 3 // 8].mean(axis=(0, 2))
    centres = (np.arange(BITS) + 0.5) * width / BITS
    return int(sum((row[int(at)] > 125) << bit for bit, at in enumerate(centres)))


def indices_of(pixels_THW3: NDArray[np.uint8]) -> list[int]:
    """The index of each picture."""
    return [index_of(pixels) for pixels in pixels_THW3]


def encoded_video(
    pictures: Sequence[NDArray[np.uint8]],
    fps: Fraction = Fraction(25),
    container: str = "mp4",
    codec: str = "libx264",
    *,
    pixel_format: str = "yuv420p",
    options: Mapping[str, str] | None = None,
    times: Sequence[Fraction] | None = None,
    sound: NDArray[np.float32] | None = None,
    sound_start_s: Fraction = Fraction(0),
    turn: Mapping[str, Any] | None = None,
    aspect: Fraction | None = None,
) -> bytes:
    """A file of pictures, each shown at its time, and of mono sound at 48 kHz."""
    out = io.BytesIO()
    tick = Fraction(1, 90_000) if times else 1 / fps
    with av.open(out, "w", format=container) as file:
        stream = file.add_stream(codec, rate=fps)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt, stream.options = pixel_format, dict(options or {})
        stream.codec_context.time_base = tick
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        if turn:
            stream.set_display_rotation(**turn)
        heard = None
        if sound is not None:
            heard = file.add_stream(
                "libopus" if container == "webm" else "aac", rate=48_000, layout="mono"
            )
        for i, pixels in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame = frame.reformat(
                format=pixel_format, dst_colorspace=Colorspace.ITU601, interpolation=EXACT
            )
            frame.pts, frame.time_base = (round(times[i] / tick) if times else i), tick
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
        if heard is not None and sound is not None:
            assert isinstance(heard, av.AudioStream)
            frame_of_sound = av.AudioFrame.from_ndarray(
                sound.astype(np.float32)[None], format="fltp", layout="mono"
            )
            frame_of_sound.sample_rate, frame_of_sound.time_base = 48_000, Fraction(1, 48_000)
            frame_of_sound.pts = round(sound_start_s * 48_000)
            file.mux(heard.encode(frame_of_sound))
            file.mux(heard.encode(None))
    return out.getvalue()
