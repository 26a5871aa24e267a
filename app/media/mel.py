"""Log-mel spectrogram of speech, the window of it that belongs to each frame, and the gain.

Numpy only. N samples, S mel steps (80 per second), M mel bins (80), F frequency bins (401),
T video frames.
"""

import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from app.values import SPEECH_HZ

N_FFT = 800
HOP = 200
MEL_BINS = 80
WINDOW_STEPS = 16
STEPS_HZ = SPEECH_HZ // HOP
SILENCE = -4.0
_LOW_HZ, _HIGH_HZ = 55.0, 7600.0
_PREEMPHASIS = 0.97
_MIN_LEVEL_DB, _REF_LEVEL_DB = -100.0, 20.0
_FLOOR = 10.0 ** (_MIN_LEVEL_DB / 20)
_CHUNK_STEPS = 1024

_REFERENCE_DBFS = -20.0
_GAIN_RANGE = (0.1, 10.0)
_FRAME = SPEECH_HZ // 50
# Frames this far below the loudest ones are pauses, not quiet speech.
_ACTIVE_RANGE_DB = 25.0
_QUIETEST_ACTIVE_DBFS = -60.0


def log_mel(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the log-mel spectrogram that Wav2Lip was trained on.

    Args:
        samples: (N,) float32 mono in [-1, 1] at 16 kHz, N >= 1.

    Returns:
        (80, S) float32 in [-4, 4], S = 1 + N // 200; step s is centred on sample 200 * s, and
        both ends are reflected.

    Source: Wav2Lip@5c90fa9 audio.py, hparams.py (librosa 0.7, hence reflection). Works through
    1024 steps at a time, so memory beyond input and output is constant. Within 1e-5 of upstream.
    """
    steps = 1 + len(samples) // HOP
    filters_MF = mel_filters()
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)  # periodic Hann
    out_MS = np.empty((MEL_BINS, steps), np.float32)
    for first in range(0, steps, _CHUNK_STEPS):
        last = min(first + _CHUNK_STEPS, steps)
        start, stop = first * HOP - N_FFT // 2, (last - 1) * HOP + N_FFT // 2
        stretch = _emphasised(samples, start, stop)
        frames = np.lib.stride_tricks.sliding_window_view(stretch, N_FFT)[::HOP]
        magnitude_SF = np.abs(np.fft.rfft(frames * window, axis=1))
        level_MS = 20 * np.log10(np.maximum(_FLOOR, filters_MF @ magnitude_SF.T)) - _REF_LEVEL_DB
        out_MS[:, first:last] = np.clip(
            8 * (level_MS - _MIN_LEVEL_DB) / -_MIN_LEVEL_DB - 4, SILENCE, 4
        )
    return out_MS


def mel_windows(
    mel_MS: NDArray[np.float32], num_frames: int, fps: Fraction, first_frame: int = 0
) -> NDArray[np.float32]:
    """Cut the log-mel into the window that each video frame is lip-synced to.

    Args:
        mel_MS: (80, S) float32 in [-4, 4], 80 steps/s, S >= 1.
        num_frames: frames to cover, >= 0.
        fps: output frame rate in Hz, > 0; the nets were trained at 25.
        first_frame: the first of these frames, so that a session can cut group by group.

    Returns:
        (num_frames, 80, 16) float32, a copy; 16 steps = 200 ms starting at each frame's time,
        rounded down to a step. Past the end the last full window repeats. A mel of fewer than 16
        steps is followed by silence (-4) up to 16, so that any recording has one window.

    Source: Wav2Lip@5c90fa9 inference.py:232-240. Deviates: the caller fixes the number of frames,
    short recordings work, and start steps are exact where upstream's float product falls short.
    """
    missing = WINDOW_STEPS - mel_MS.shape[1]
    if missing > 0:
        mel_MS = np.pad(mel_MS, ((0, 0), (0, missing)), constant_values=SILENCE)
    last_start = mel_MS.shape[1] - WINDOW_STEPS
    starts = np.array(
        [
            min(math.floor(frame * STEPS_HZ / fps), last_start)
            for frame in range(first_frame, first_frame + num_frames)
        ],
        np.intp,
    )
    windows = np.lib.stride_tricks.sliding_window_view(mel_MS, WINDOW_STEPS, axis=1)
    return np.ascontiguousarray(windows[:, starts].transpose(1, 0, 2))


def mel_filters() -> NDArray[np.float64]:
    """Return (80, 401) float64 triangles of equal area on Slaney's mel scale, 55-7600 Hz.

    Source: M. Slaney, Auditory Toolbox (1998): linear at 200/3 Hz per mel up to 1 kHz, then steps
    of ln(6.4)/27; the formulae of librosa.filters.mel, which Wav2Lip calls.
    """
    mels: NDArray[np.float64] = np.linspace(_hz_to_mel(_LOW_HZ), _hz_to_mel(_HIGH_HZ), MEL_BINS + 2)
    log_step = math.log(6.4) / 27
    edges_hz: NDArray[np.float64] = np.where(
        mels < 15, mels * 200 / 3, 1000 * np.exp((mels - 15) * log_step)
    )
    bins_hz = np.arange(N_FFT // 2 + 1) * SPEECH_HZ / N_FFT
    low, centre, high = (edges_hz[i : i + MEL_BINS, None] for i in range(3))
    rising, falling = (bins_hz - low) / (centre - low), (high - bins_hz) / (high - centre)
    triangles: NDArray[np.float64] = np.maximum(0, np.minimum(rising, falling)) * 2 / (high - low)
    return triangles


def speech_gain(samples: NDArray[np.float32]) -> float:
    """Return the factor that brings active speech to -20 dBFS RMS, in [0.1, 10].

    Active are the 20 ms frames within 25 dB of the loudest (95th percentile) and above -60 dBFS,
    so that pauses do not count; a recording without any gets 1.0.

    Args:
        samples: (N,) float32 mono at 16 kHz.
    """
    frames = np.pad(samples, (0, -len(samples) % _FRAME)).reshape(-1, _FRAME)
    power: NDArray[np.float64] = np.mean(np.square(frames, dtype=np.float64), axis=1)
    loud = float(np.quantile(power, 0.95)) if power.size else 0.0
    floor = max(loud * 10 ** (-_ACTIVE_RANGE_DB / 10), 10 ** (_QUIETEST_ACTIVE_DBFS / 10))
    active = power[power >= floor]
    if not active.size:
        return 1.0
    gain = 10 ** (_REFERENCE_DBFS / 20) / math.sqrt(float(active.mean()))
    return min(max(gain, _GAIN_RANGE[0]), _GAIN_RANGE[1])


def _emphasised(samples: NDArray[np.float32], start: int, stop: int) -> NDArray[np.float64]:
    """Return pre-emphasised samples [start, stop), reflected at both ends of the recording."""
    period = max(1, 2 * (len(samples) - 1))
    at = np.abs(np.arange(start, stop)) % period
    at = np.minimum(at, period - at) if len(samples) > 1 else np.zeros_like(at)
    before = np.where(at > 0, samples[at - 1].astype(np.float64), 0.0)
    emphasised: NDArray[np.float64] = samples[at].astype(np.float64) - _PREEMPHASIS * before
    return emphasised


def _hz_to_mel(hz: float) -> float:
    return hz * 3 / 200 if hz < 1000 else 15 + math.log(hz / 1000) * 27 / math.log(6.4)
