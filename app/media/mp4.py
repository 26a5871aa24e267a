"""Fragmented MP4 written while frames arrive: H.264 and AAC, playable from the first group on.

T frames of a group, H/W pixels, C audio channels, N audio samples.
"""

from collections.abc import Mapping
from fractions import Fraction

import av
import numpy as np
from av.audio.stream import AudioStream
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation
from av.video.stream import VideoStream
from numpy.typing import NDArray

from app.media.config import MediaConfig
from app.media.sound import SoundReader
from app.timeline import frame_count
from app.values import Sound

# Without these flags swscale rounds down, which darkens flat colours by up to 3 of 255.
_ROUNDING = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP

_LAYOUTS = {1: "mono", 2: "stereo"}

_AAC_FRAME = 1024
"""Samples of one AAC frame."""


_FRAGMENT_FRAMES = 3
"""FFmpeg closes a fragment when the packet after it comes, so short ones leave early: at most
three frames wait for the next group. Each fragment costs some 250 bytes."""


class Mp4Writer:
    """A `VideoWriter` over FFmpeg: each `write` returns the fragments that are complete.

    Frame i is shown at i / fps. The sound is cut, or continued with silence, to end with the last
    frame; an edit list hides the encoder's priming. Colours are BT.709, limited range. Memory
    does not grow with the video. Encodes on the calling thread; not to be shared by threads.

    Args:
        width: px, even.
        height: px, even.
        fps: exact frame rate.
        sound: the sound track, at 44.1 or 48 kHz so that AAC's frames are short, decoded as it
            is needed; None for a silent video.
        config: encoder settings.
        tags: text by the names title, comment, artist and encoder.
        num_frames: how many frames will come; left out, as many as the sound takes. If fewer
            come, up to 43 ms of sound outlast the picture; if more come, silence goes with them.
    """

    def __init__(
        self,
        width: int,
        height: int,
        fps: Fraction,
        sound: Sound | None,
        config: MediaConfig,
        tags: Mapping[str, str] | None = None,
        num_frames: int | None = None,
    ) -> None:
        if width % 2 or height % 2 or width < 2 or height < 2:
            raise ValueError(f"sides must be even and positive, not {width} x {height}")
        if num_frames is None:
            num_frames = frame_count(sound.duration_s, fps) if sound else 0
        self._shape, self._fps, self._sound = (height, width, 3), fps, sound
        self._frames = self._sampled = 0
        self._sound_end = self._sound_until(num_frames)
        self._reader = SoundReader(sound) if sound else None
        self._sink = _Sink()
        self._is_open = True
        self._container = av.open(
            self._sink,
            "w",
            format="mp4",
            options={
                # delay_moov: the header waits for the first packets, whose priming it records.
                "movflags": "empty_moov+default_base_moof+delay_moov+skip_trailer",
                "frag_duration": str(int((_FRAGMENT_FRAMES - 1) / fps * 1_000_000)),
            },
        )
        self._container.metadata.update(tags or {})
        self._video = self._add_video(config)
        self._audio = self._add_audio(sound, config) if sound else None

    def write(self, pixels_THW3: NDArray[np.uint8]) -> bytes:
        """Return the bytes that became complete, the sound beneath them included.

        Args:
            pixels_THW3: (T, H, W, 3) uint8 RGB, T >= 1, H and W as announced.
        """
        self._check_open()
        if pixels_THW3.shape[1:] != self._shape or pixels_THW3.dtype != np.uint8:
            raise ValueError(f"frames must be uint8 of shape (T, {self._shape}) and RGB")
        for pixels_HW3 in pixels_THW3:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels_HW3), format="rgb24")
            coded = frame.reformat(
                format="yuv420p",
                dst_colorspace=Colorspace.ITU709,
                dst_color_range=ColorRange.MPEG,
                interpolation=_ROUNDING,
                threads=1,
            )
            coded.pts, coded.time_base = self._frames, 1 / self._fps
            self._frames += 1
            # The sound runs two AAC frames ahead, so that the picture never waits for it.
            ahead = self._sound_until(self._frames) + 2 * _AAC_FRAME
            self._write_sound(min(ahead, max(self._sound_end, self._sound_until(self._frames))))
            self._container.mux(self._video.encode(coded))
        return self._sink.take()

    def finish(self) -> bytes:
        """Return the last bytes and close."""
        self._check_open()
        if self._frames:
            self._write_sound(self._sound_until(self._frames))
            for stream in (self._audio, self._video):
                if stream is not None:
                    self._container.mux(stream.encode(None))
        self.close()
        return self._sink.take() if self._frames else b""

    @property
    def offset_s(self) -> float:
        """How far the sound written ends after the picture, in media seconds; 0 without sound."""
        if not self._sound:
            return 0.0
        return float(Fraction(self._sampled, self._sound.rate_hz) - self._frames / self._fps)

    def close(self) -> None:
        """Free the codecs; without `finish` before it the file ends with the last fragment."""
        if self._is_open:
            self._is_open = False
            self._container.close()
            if self._reader:
                self._reader.close()

    def _check_open(self) -> None:
        if not self._is_open:
            raise ValueError("the writer is closed")

    def _add_video(self, config: MediaConfig) -> VideoStream:
        stream = self._container.add_stream("libx264", rate=self._fps)
        stream.height, stream.width = self._shape[:2]
        stream.pix_fmt = "yuv420p"
        keyframes = max(1, round(config.keyframe_interval_s * self._fps))
        # Zero latency: every frame comes out at once, without reordering.
        stream.options = {
            "preset": config.preset,
            "tune": "zerolatency",
            "crf": str(config.crf),
            "g": str(keyframes),
        }
        codec = stream.codec_context
        codec.thread_count = 1
        codec.color_range, codec.colorspace = ColorRange.MPEG, Colorspace.ITU709
        codec.color_primaries, codec.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        return stream

    def _add_audio(self, sound: Sound, config: MediaConfig) -> AudioStream:
        stream = self._container.add_stream("aac", rate=sound.rate_hz)
        stream.layout = _LAYOUTS[sound.channels]
        stream.bit_rate = config.audio_bitrate_bps * sound.channels
        return stream

    def _sound_until(self, frames: int) -> int:
        """Return where in the sound, in samples, the given number of frames ends."""
        return round(frames * self._sound.rate_hz / self._fps) if self._sound else 0

    def _write_sound(self, until: int) -> None:
        """Encode the sound up to sample `until`, silence past its end."""
        if not (self._sound and self._reader and self._audio) or until <= self._sampled:
            return
        samples_CN = self._reader.take(until - self._sampled)
        interleaved = np.ascontiguousarray(samples_CN.T).reshape(1, -1)
        layout = _LAYOUTS[self._sound.channels]
        frame = av.AudioFrame.from_ndarray(interleaved, format="s16", layout=layout)
        frame.sample_rate = self._sound.rate_hz
        frame.pts, frame.time_base = self._sampled, Fraction(1, self._sound.rate_hz)
        self._sampled = until
        self._container.mux(self._audio.encode(frame))


class _Sink:
    """A file that can only be written; hands out what has come since it was last asked."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def write(self, data: bytes) -> int:
        self._bytes += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._bytes)
        self._bytes.clear()
        return taken
