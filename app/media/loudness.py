"""How loud speech is, measured while it arrives, and the gain that brings it to one level.

N samples.
"""

import math

import numpy as np
from numpy.typing import NDArray

from app.values import SPEECH_HZ

_REFERENCE_DBFS = -20.0
_GAIN_RANGE_DB = (-20.0, 20.0)
_FRAME = SPEECH_HZ // 50
# Frames this far below the loudest ones are pauses, not quiet speech.
_ACTIVE_RANGE_DB = 25.0
_QUIETEST_ACTIVE_DBFS = -60.0


class Loudness:
    """Measures mono speech at 16 kHz piece by piece; keeps 50 numbers a second.

    Attributes:
        peak: the largest absolute sample so far.
    """

    def __init__(self) -> None:
        self.peak = 0.0
        self._rest = np.zeros(0, np.float32)
        self._powers: list[NDArray[np.float64]] = []

    def push(self, samples: NDArray[np.float32]) -> None:
        """Take the next (N,) float32 samples, N >= 0."""
        if not samples.size:
            return
        self.peak = max(self.peak, float(np.abs(samples).max()))
        joined = np.concatenate([self._rest, samples])
        whole = len(joined) - len(joined) % _FRAME
        self._powers.append(_powers(joined[:whole]))
        self._rest = joined[whole:]

    def gain_db(self) -> float:
        """Return the gain that brings active speech to -20 dBFS RMS, in [-20, 20] dB.

        Active are the 20 ms frames within 25 dB of the loudest (95th percentile) and above
        -60 dBFS, so that pauses do not count; a recording without any gets 0.
        """
        last = np.pad(self._rest, (0, -len(self._rest) % _FRAME))
        power = np.concatenate([*self._powers, _powers(last)])
        loud = float(np.quantile(power, 0.95)) if power.size else 0.0
        floor = max(loud * 10 ** (-_ACTIVE_RANGE_DB / 10), 10 ** (_QUIETEST_ACTIVE_DBFS / 10))
        active = power[power >= floor]
        if not active.size:
            return 0.0
        gain_db = _REFERENCE_DBFS - 10 * math.log10(float(active.mean()))
        return min(max(gain_db, _GAIN_RANGE_DB[0]), _GAIN_RANGE_DB[1])


def _powers(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the mean square of each 20 ms frame."""
    frames = samples.reshape(-1, _FRAME)
    return np.asarray(np.mean(np.square(frames, dtype=np.float64), axis=1))
