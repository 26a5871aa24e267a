"""Log-mel spectrogram of speech, and the window of it that belongs to each frame.

Numpy only. N samples, S mel steps (80 per second), M mel bins (80), F frequency bins (401),
T video frames, W steps of a window (16 for Wav2Lip).

Levels are in dB, without Wav2Lip's floor and scale: a gain is then an addition, and speech need
not be kept to be made louder.
"""

import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from app.values import SPEECH_HZ, MelWindow

N_FFT = 800
HOP = 200
MEL_BINS = 80
WINDOW_STEPS = 16
WAV2LIP_WINDOW = MelWindow(before=0, steps=WINDOW_STEPS)
STEPS_HZ = SPEECH_HZ // HOP
SILENCE = -4.0
_LOW_HZ, _HIGH_HZ = 55.0, 7600.0
_PREEMPHASIS = 0.97
_MIN_LEVEL_DB, _REF_LEVEL_DB = -100.0, 20.0
# Far enough below the least level that counts that no gain lifts it there.
_FLOOR = 1e-10
_CHUNK_STEPS = 256
# A filter is 3 to 27 bins wide, so neighbours are applied to their own stretch of the spectrum.
# Besides the work this saves threads: BLAS would wake all of its own for the whole product, which
# on busy cores took five times as long as the rest.
_BAND = 10


class LevelMeter:
    """Turns mono speech at 16 kHz into mel levels while it arrives.

    Keeps less than 100 ms of sound. Step s is centred on sample 200 * s, and both ends are
    reflected, whatever pieces the samples come in.

    Source: Wav2Lip@5c90fa9 audio.py, hparams.py (librosa 0.7, hence reflection).
    """

    def __init__(self) -> None:
        self._bands = _bands()
        # Periodic Hann.
        self._window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)
        self._before = 0.0
        self._emphasised: NDArray[np.float64] = np.zeros(0)
        self._has_start = False
        self._levels: list[NDArray[np.float32]] = []

    def push(self, samples: NDArray[np.float32]) -> None:
        """Take the next (N,) float32 samples in [-1, 1], N >= 0."""
        if not samples.size:
            return
        now = samples.astype(np.float64)
        before = np.concatenate([[self._before], now[:-1]])
        self._before = float(now[-1])
        self._emphasised = np.concatenate([self._emphasised, now - _PREEMPHASIS * before])
        half = N_FFT // 2
        if not self._has_start and len(self._emphasised) > half:
            self._emphasised = np.pad(self._emphasised, (half, 0), mode="reflect")
            self._has_start = True
        if self._has_start:
            self._measure()

    def finish(self) -> NDArray[np.float32]:
        """Return the levels of all that came, (80, S) float32 dB, S = 1 + N // 200; N >= 1."""
        half = N_FFT // 2
        before = 0 if self._has_start else half
        self._emphasised = np.pad(self._emphasised, (before, half), mode="reflect")
        self._measure()
        return np.concatenate(self._levels, axis=1)

    def _measure(self) -> None:
        """Measure the steps that are there in full, and forget what no later step needs."""
        steps = max(0, 1 + (len(self._emphasised) - N_FFT) // HOP)
        for first in range(0, steps, _CHUNK_STEPS):
            last = min(first + _CHUNK_STEPS, steps)
            stretch = self._emphasised[first * HOP : (last - 1) * HOP + N_FFT]
            frames_SN = np.lib.stride_tricks.sliding_window_view(stretch, N_FFT)[::HOP]
            magnitude_SF = np.abs(np.fft.rfft(frames_SN * self._window, axis=1))
            mel_SM = np.concatenate(
                [magnitude_SF[:, bins] @ filters_FM for bins, filters_FM in self._bands], axis=1
            )
            levels_SM = 20 * np.log10(np.maximum(_FLOOR, mel_SM))
            self._levels.append(np.ascontiguousarray(levels_SM.T, np.float32))
        self._emphasised = self._emphasised[steps * HOP :].copy()


def mel_levels(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mel levels of a whole recording, (80, S) float32 dB.

    Args:
        samples: (N,) float32 mono in [-1, 1] at 16 kHz, N >= 1.
    """
    meter = LevelMeter()
    meter.push(samples)
    return meter.finish()


def scaled(levels: NDArray[np.float32], gain_db: float = 0.0) -> NDArray[np.float32]:
    """Return levels as Wav2Lip's scale has them, float32 in [-4, 4], after a gain.

    The same as the scale of speech times 10 ** (gain_db / 20), for gains of up to 100 dB.
    """
    level = levels + np.float32(gain_db - _REF_LEVEL_DB - _MIN_LEVEL_DB)
    mel = level * np.float32(8 / -_MIN_LEVEL_DB) - np.float32(4)
    return np.asarray(mel.clip(SILENCE, 4), np.float32)


def log_mel(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the log-mel spectrogram that Wav2Lip was trained on, (80, S) float32 in [-4, 4].

    Args:
        samples: (N,) float32 mono in [-1, 1] at 16 kHz, N >= 1.
    """
    return scaled(mel_levels(samples))


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
    starts = np.minimum(
        _starts(first_frame, first_frame + num_frames, fps), mel_MS.shape[1] - WINDOW_STEPS
    )
    windows = np.lib.stride_tricks.sliding_window_view(mel_MS, WINDOW_STEPS, axis=1)
    return np.ascontiguousarray(windows[:, starts].transpose(1, 0, 2))


def speech_windows(
    levels_MS: NDArray[np.float32],
    gain_db: float,
    fps: Fraction,
    first: int,
    last: int,
    first_step: int = 0,
    window: MelWindow = WAV2LIP_WINDOW,
) -> NDArray[np.float32]:
    """Return the windows of frames [first, last) after a gain: (T, 80, W) float32 in [-4, 4].

    As `mel_windows`, but of any window, and silence precedes and follows the speech, so that a
    mouth that spoke to the end shuts with it. Memory is that of the windows.

    Args:
        levels_MS: (80, S) float32 dB, S >= 1.
        gain_db: added to the levels.
        fps: frame rate in Hz, > 0.
        first: the first frame.
        last: past the last frame.
        first_step: how many steps of the speech come before the levels, where they are a piece
            of it; what comes before the piece sounds like its beginning.
        window: which steps each frame hears.
    """
    around = np.arange(-window.before, window.steps - window.before)
    steps_TW = _starts(first, last, fps)[:, None] + around - first_step
    end = levels_MS.shape[1]
    mel_MTW = scaled(levels_MS[:, steps_TW.clip(0, end - 1)], gain_db)
    mel_MTW[:, (steps_TW >= end) | (steps_TW < -first_step)] = SILENCE
    return np.ascontiguousarray(mel_MTW.transpose(1, 0, 2))


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


def _bands() -> list[tuple[slice, NDArray[np.float64]]]:
    """Return `_BAND` neighbouring filters each, (F, M), and the bins that they weigh."""
    bands = []
    for filters_MF in np.split(mel_filters(), MEL_BINS // _BAND):
        used = np.flatnonzero(filters_MF.any(axis=0))
        bins = slice(int(used[0]), int(used[-1]) + 1)
        bands.append((bins, np.ascontiguousarray(filters_MF[:, bins].T)))
    return bands


def _starts(first: int, last: int, fps: Fraction) -> NDArray[np.intp]:
    """Return the step at which each frame's window starts: its time, rounded down."""
    return np.array([math.floor(frame * STEPS_HZ / fps) for frame in range(first, last)], np.intp)


def _hz_to_mel(hz: float) -> float:
    return hz * 3 / 200 if hz < 1000 else 15 + math.log(hz / 1000) * 27 / math.log(6.4)
