"""The one-euro filter: points without jitter that still follow fast motion.

K points. Source: Casiez, Roussel, Vogel: 1 Euro Filter, CHI 2012, https://doi.org/10.1145/2207676.2208639.
"""

import math

import numpy as np
from numpy.typing import NDArray

from app.topology import LEFT_EYE_OUTER, RIGHT_EYE_OUTER

MIN_CUTOFF_HZ = 1.0
BETA = 20.0
SPEED_CUTOFF_HZ = 1.0


class OneEuro:
    """Smooths a mesh over time: strongly while a point rests, hardly while it moves.

    A low-pass filter per coordinate whose cutoff rises with the coordinate's own speed. Two
    deviations from the paper: speeds are measured in distances of the outer eye corners, so that a
    large face is smoothed as a small one; and the weight of a new sample is
    1 - exp(-2 pi cutoff dt), which is that of the continuous filter, in place of its first-order
    approximation, so that the frame rate does not matter.

    Args:
        min_cutoff_hz: cutoff at rest; lower means less jitter and more lag.
        beta: how much the cutoff rises, Hz per (eye distance per second).
        speed_cutoff_hz: cutoff of the low-pass filter over the speed, 1 in the paper.
    """

    def __init__(
        self,
        min_cutoff_hz: float = MIN_CUTOFF_HZ,
        beta: float = BETA,
        speed_cutoff_hz: float = SPEED_CUTOFF_HZ,
    ) -> None:
        self._min_cutoff_hz = min_cutoff_hz
        self._beta = beta
        self._speed_cutoff_hz = speed_cutoff_hz
        self.reset()

    def reset(self) -> None:
        """Forget the past, as after a cut: the next points come out as they go in."""
        self._time_s = -math.inf
        self._raw = self._smooth = self._speed = np.zeros((0, 3))

    def smooth(self, points: NDArray[np.float32], time_s: float) -> NDArray[np.float32]:
        """Return the points as they would be without jitter.

        Args:
            points: (478, 3) px.
            time_s: media time, seconds. When it does not advance, the filter starts anew.

        Returns:
            (478, 3) float32 px, a copy.
        """
        raw = points.astype(np.float64)
        step_s = time_s - self._time_s
        if not 0 < step_s < math.inf:
            self._smooth, self._speed = raw, np.zeros_like(raw)
        else:
            scale = max(1e-6, float(np.linalg.norm(raw[RIGHT_EYE_OUTER] - raw[LEFT_EYE_OUTER])))
            speed = (raw - self._raw) / (scale * step_s)
            self._speed = self._speed + _weight(self._speed_cutoff_hz, step_s) * (
                speed - self._speed
            )
            cutoff_hz = self._min_cutoff_hz + self._beta * np.abs(self._speed)
            self._smooth = self._smooth + _weight(cutoff_hz, step_s) * (raw - self._smooth)
        self._raw, self._time_s = raw, time_s
        return self._smooth.astype(np.float32)


def _weight(cutoff_hz: NDArray[np.float64] | float, step_s: float) -> NDArray[np.float64]:
    """Return how much of a new sample a low-pass filter takes over, in (0, 1)."""
    return np.asarray(1 - np.exp(-2 * math.pi * np.asarray(cutoff_hz) * step_s))
