"""Sample rate conversion of float32 sound, block by block, without shift in time.

C audio channels, N samples.
"""

import av
import numpy as np
from numpy.typing import NDArray

_LAYOUTS = {1: "mono", 2: "stereo"}
# Twice FFmpeg's default length: -65 dB instead of -22 dB of alias at 1.05 x Nyquist.
_OPTIONS = {"filter_size": "64"}


def resampled_length(count: int, from_hz: int, to_hz: int) -> int:
    """Return how many samples `count` become: the exact ratio, rounded half up."""
    return (2 * count * to_hz + from_hz) // (2 * from_hz)


class Resampler:
    """Converts one stream; samples keep their time, and the last ones are flushed at the end.

    Args:
        channels: C, 1 or 2.
        from_hz: rate of what comes in.
        to_hz: rate of what goes out; equal rates pass through unchanged.
    """

    def __init__(self, channels: int, from_hz: int, to_hz: int) -> None:
        self._channels, self._layout = channels, _LAYOUTS[channels]
        self._from_hz, self._to_hz = from_hz, to_hz
        self._taken = self._given = 0
        self._resampler = av.AudioResampler("fltp", self._layout, to_hz, options=_OPTIONS)

    def push(self, samples_CN: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the samples that are ready, (C, N') float32, after (C, N) more have come in."""
        start, self._taken = self._taken, self._taken + samples_CN.shape[1]
        if self._from_hz == self._to_hz:
            return samples_CN
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples_CN), format="fltp", layout=self._layout
        )
        frame.sample_rate, frame.pts = self._from_hz, start
        return self._joined(self._resampler.resample(frame))

    def flush(self) -> NDArray[np.float32]:
        """Return the tail, (C, N') float32, so that the whole has `resampled_length` samples."""
        if self._from_hz == self._to_hz:
            return np.zeros((self._channels, 0), np.float32)
        before = self._given
        tail = self._joined(self._resampler.resample(None))
        missing = resampled_length(self._taken, self._from_hz, self._to_hz) - before
        short = max(0, missing - tail.shape[1])
        return np.pad(tail, ((0, 0), (0, short)))[:, :missing]

    def _joined(self, frames: list[av.AudioFrame]) -> NDArray[np.float32]:
        parts = [frame.to_ndarray() for frame in frames]
        empty = np.zeros((self._channels, 0), np.float32)
        whole = np.concatenate([empty, *parts], axis=1, dtype=np.float32)
        self._given += whole.shape[1]
        return whole
