"""Recordings for tests: files of many containers, and what is heard of them."""

import io
from fractions import Fraction

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

from app.media.audio import Ear
from app.media.config import MediaConfig
from app.media.recording import read_blocks
from app.media.sound import SoundReader, sound_of
from app.values import Sound

LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}


def recording(
    samples_NC: NDArray[np.generic], rate: int, kind: str = "WAV", subtype: str | None = None
) -> bytes:
    """A file by libsndfile."""
    out = io.BytesIO()
    soundfile.write(out, samples_NC, rate, format=kind, subtype=subtype)
    return out.getvalue()


def encoded(samples_CN: NDArray[np.float32], rate: int, container: str, codec: str) -> bytes:
    """A file by FFmpeg."""
    out, layout = io.BytesIO(), LAYOUTS[len(samples_CN)]
    with av.open(out, "w", format=container) as file:
        stream = file.add_stream(codec, rate=rate, layout=layout)
        assert isinstance(stream, av.AudioStream)
        for start in range(0, samples_CN.shape[1], rate):
            piece = np.ascontiguousarray(samples_CN[:, start : start + rate], np.float32)
            frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return out.getvalue()


def noise(count: int, channels: int = 1, level: float = 0.1) -> NDArray[np.float32]:
    """White noise, (N, C)."""
    values = np.random.default_rng(count).standard_normal((count, channels)) * level
    return values.clip(-1, 1).astype(np.float32)


def speechlike(count: int, channels: int = 1) -> NDArray[np.float32]:
    """Noise below a quarter of any rate, which lossy codecs keep, (C, N)."""
    values = np.random.default_rng(count).standard_normal((count + 31, channels))
    smooth = np.stack([np.convolve(row, np.hanning(32), "valid") for row in values.T])
    scaled: NDArray[np.float64] = 0.15 * smooth / smooth.std()
    return scaled.clip(-1, 1).astype(np.float32)


def sound_from(samples_CN: NDArray[np.int16], rate: int) -> Sound:
    """A sound whose file is a WAV."""
    wav = recording(samples_CN.T, rate)
    return sound_of(wav, samples_CN.shape[1], rate, len(samples_CN))


def played(sound: Sound) -> NDArray[np.int16]:
    """All that people hear, (C, N)."""
    reader = SoundReader(sound)
    samples = reader.take(sound.num_samples)
    reader.close()
    return samples


def heard(data: bytes, config: MediaConfig | None = None) -> NDArray[np.float32]:
    """All that the models hear, (N,) at 16 kHz."""
    blocks = list(read_blocks(data, (config or MediaConfig()).max_audio_s))
    ear = Ear(blocks[0].rate_hz)
    return np.concatenate([*(ear.hear(block) for block in blocks), ear.rest()])


def lag_s(reference: NDArray[np.floating], late: NDArray[np.floating], rate: int) -> float:
    """How far `late` lies behind `reference`, by their cross-correlation."""
    size = 1 << (len(reference) + len(late)).bit_length()
    spectrum = np.conj(np.fft.rfft(reference, size)) * np.fft.rfft(late, size)
    at = int(np.fft.irfft(spectrum).argmax())
    return (at if at < size // 2 else at - size) / rate
