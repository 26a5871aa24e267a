"""Clean synthesised speech as rooms, microphones, codecs and company make it.

N samples at 16 kHz. All chance comes from the generator that is given.
"""

import io
from collections.abc import Callable
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from app.values import SPEECH_HZ

Samples = NDArray[np.float32]

_CODECS: Final = (("mp3", "libmp3lame", 24_000), ("mp3", "libmp3lame", 48_000))
_OPUS: Final = (("ogg", "libopus", 12_000), ("ogg", "libopus", 24_000))


def reverberant(samples: Samples, draw: np.random.Generator) -> Samples:
    """Return speech in a room: exponentially decaying noise after the direct sound.

    Reverberation time 0.15 to 0.7 s, direct sound 0 to 12 dB above the rest.
    """
    decay_s = draw.uniform(0.15, 0.7)
    length = int(decay_s * SPEECH_HZ)
    tail = draw.standard_normal(length) * 10 ** (-3 * np.arange(length) / length)
    tail[: int(0.003 * SPEECH_HZ)] = 0
    tail *= 10 ** (-draw.uniform(0, 12) / 20) / np.sqrt((tail**2).sum() + 1e-9)
    tail[0] = 1
    return _convolved(samples, tail)


def equalised(samples: Samples, draw: np.random.Generator) -> Samples:
    """Return speech through a microphone: slow bends of its spectrum, at times a narrow band."""
    nodes = draw.uniform(-7, 7, 7)
    tilt_db = draw.uniform(-6, 6)
    low = draw.uniform(100, 400) if draw.random() < 0.3 else 20.0
    high = draw.uniform(3000, 6000) if draw.random() < 0.3 else 8000.0

    def gain(hz: NDArray[np.float64]) -> NDArray[np.float64]:
        octave = np.log2(np.maximum(hz, 60) / 60) / 7
        bend = np.interp(octave, np.linspace(0, 1, 7), nodes) + tilt_db * (octave - 0.5)
        edges = 12 * np.minimum(0, np.log2(np.maximum(hz, 20) / low))
        edges += 30 * np.minimum(0, np.log2(high / np.maximum(hz, 20)))
        return np.asarray(10 ** (np.maximum(bend + edges, -60) / 20))

    return _filtered(samples, gain)


def coded(samples: Samples, draw: np.random.Generator) -> Samples:
    """Return speech after a codec of few bits: MP3 or Opus; as long as before."""
    container, codec, bit_rate = (*_CODECS, *_OPUS)[draw.integers(4)]
    rate_hz = 48_000 if codec == "libopus" else SPEECH_HZ
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as file:
        stream = file.add_stream(codec, rate=rate_hz, layout="mono")
        assert isinstance(stream, av.AudioStream)
        stream.bit_rate = bit_rate
        frame = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), "fltp", "mono")
        frame.sample_rate = SPEECH_HZ
        into = av.AudioResampler(stream.format.name, "mono", rate_hz, stream.frame_size or 1024)
        for part in (*into.resample(frame), *into.resample(None)):
            file.mux(stream.encode(part))
        file.mux(stream.encode(None))
    buffer.seek(0)
    back = av.AudioResampler("fltp", "mono", SPEECH_HZ)
    with av.open(buffer, mode="r") as coded_file:
        parts = [
            out.to_ndarray()[0] for raw in coded_file.decode(audio=0) for out in back.resample(raw)
        ]
    parts += [out.to_ndarray()[0] for out in back.resample(None)]
    return _aligned(np.concatenate(parts).astype(np.float32), samples)


def _aligned(heard: Samples, samples: Samples) -> Samples:
    """Return what was heard without the codec's delay, as long as the samples."""
    size = 1 << int(np.ceil(np.log2(len(heard) + len(samples))))
    product = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(samples, size))
    delay = int(np.fft.irfft(product, size)[:4800].argmax())
    moved = heard[delay : delay + len(samples)]
    return np.pad(moved, (0, len(samples) - len(moved)))


def noise(length: int, draw: np.random.Generator) -> Samples:
    """Return (N,) noise of RMS 1: coloured from brown to white, at times with a mains hum."""
    slope = draw.uniform(-2.0, 0.3)
    made = _filtered(
        draw.standard_normal(length).astype(np.float32),
        lambda hz: np.maximum(hz, 40) ** (slope / 1.0) / 40**slope,
    )
    made = made / (np.sqrt(np.mean(made**2)) + 1e-9)
    if draw.random() < 0.3:
        time = np.arange(length) / SPEECH_HZ
        hum = sum(np.sin(2 * np.pi * 50 * k * time) / k for k in range(1, 6))
        made = made + draw.uniform(0.3, 1.5) * np.asarray(hum, np.float32)
    return np.asarray(made / (np.sqrt(np.mean(made**2)) + 1e-9), np.float32)


def music(length: int, draw: np.random.Generator) -> Samples:
    """Return (N,) music of RMS 1: notes of harmonics over each other, at times with drums."""
    made = np.zeros(length)
    beat = int(SPEECH_HZ * draw.uniform(0.18, 0.6))
    root = draw.uniform(80, 220)
    scale = 2 ** (np.array([0, 2, 4, 5, 7, 9, 11, 12, 14, 16, 19]) / 12)
    brightness = draw.uniform(0.4, 1.6)
    for start in range(0, length, beat):
        for _ in range(draw.integers(1, 4)):
            span = min(length - start, int(beat * draw.choice([1, 1, 2, 4])))
            time = np.arange(span) / SPEECH_HZ
            pitch = root * draw.choice(scale) * draw.choice([1, 1, 2])
            harmonics = np.arange(1, max(2, int(min(20, 7000 / pitch))))
            tones = np.sin(2 * np.pi * pitch * harmonics[:, None] * time)
            shape = np.minimum(1, time / 0.01) * np.exp(-time * draw.uniform(1, 8))
            made[start : start + span] += (tones / harmonics[:, None] ** brightness).sum(0) * shape
        if draw.random() < 0.4:
            span = min(length - start, 1600)
            hit = draw.standard_normal(span) * np.exp(-np.arange(span) / 300)
            made[start : start + span] += draw.uniform(0.5, 3) * hit
    return np.asarray(made / (np.sqrt(np.mean(made**2)) + 1e-9), np.float32)


def applause(length: int, draw: np.random.Generator) -> Samples:
    """Return (N,) a crowd that claps, of RMS 1, swelling and fading."""
    claps = np.zeros(length)
    number = int(length / SPEECH_HZ * draw.uniform(15, 400)) + 1
    claps[draw.integers(0, length, number)] = draw.uniform(0.2, 1, number)
    clap = draw.standard_normal(800) * np.exp(-np.arange(800) / draw.uniform(60, 250))
    centre = draw.uniform(700, 2500)
    made = _filtered(
        _convolved(np.asarray(claps, np.float32), clap),
        lambda hz: np.exp(-0.5 * (np.log2(np.maximum(hz, 30) / centre) / 1.2) ** 2),
    )
    swell = np.interp(np.linspace(0, 1, length), np.linspace(0, 1, 6), draw.uniform(0.05, 1, 6))
    made = made * swell.astype(np.float32)
    return np.asarray(made / (np.sqrt(np.mean(made**2)) + 1e-9), np.float32)


def breath(draw: np.random.Generator) -> Samples:
    """Return 0.15 to 0.6 s of breathing of peak RMS about 1: noise that swells and fades."""
    length = int(SPEECH_HZ * draw.uniform(0.15, 0.6))
    centre, width = draw.uniform(600, 2500), draw.uniform(0.8, 2.0)
    made = _filtered(
        draw.standard_normal(length).astype(np.float32),
        lambda hz: np.exp(-0.5 * (np.log2(np.maximum(hz, 30) / centre) / width) ** 2),
    )
    swell = np.sin(np.pi * np.linspace(0, 1, length)) ** draw.uniform(0.7, 2)
    return np.asarray(made / (np.sqrt(np.mean(made**2)) + 1e-9) * swell, np.float32)


def _filtered(
    samples: Samples, gain: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> Samples:
    size = 1 << int(np.ceil(np.log2(len(samples) + 1)))
    hz = np.asarray(np.fft.rfftfreq(size, 1 / SPEECH_HZ), np.float64)
    return np.asarray(
        np.fft.irfft(np.fft.rfft(samples, size) * gain(hz), size)[: len(samples)], np.float32
    )


def _convolved(samples: Samples, response: NDArray[np.float64]) -> Samples:
    size = 1 << int(np.ceil(np.log2(len(samples) + len(response))))
    product = np.fft.rfft(samples, size) * np.fft.rfft(response, size)
    return np.asarray(np.fft.irfft(product, size)[: len(samples)], np.float32)
