"""Smoothing of a whole sequence by a Kalman smoother.

T frames.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

PROCESS_VARIANCE: Final = 1e-5
OBSERVATION_VARIANCE: Final = 3e-7
_FIRST_VARIANCE = 1.0


def smooth(values: Floats, observation_variance: float = OBSERVATION_VARIANCE) -> Floats:
    """Return every coordinate smoothed over time, as a random walk seen through noise.

    Args:
        values: (T, ...) float32.
        observation_variance: of the noise, > 0; the larger, the smoother.

    Returns:
        The same shape, float32; of each frame its mean given all frames, with the first value as
        the first mean and a variance of 1 there.

    Source: R. Kalman (1960); H. Rauch, F. Tung and C. Striebel (1965). Variances as
    LivePortrait@1986663 src/utils/filter.py.
    """
    seen = values.reshape(len(values), -1).astype(np.float64)
    # One walk for all coordinates: gains depend on nothing seen, so only means are arrays.
    variances = np.empty(len(seen))
    means = np.empty_like(seen)
    mean, ahead = seen[:1], _FIRST_VARIANCE
    for frame, value in enumerate(seen):
        gain = ahead / (ahead + observation_variance)
        means[frame] = mean = mean + gain * (value - mean)
        variances[frame] = gain * observation_variance
        ahead = variances[frame] + PROCESS_VARIANCE
    for frame in range(len(seen) - 2, -1, -1):
        gain = variances[frame] / (variances[frame] + PROCESS_VARIANCE)
        means[frame] += gain * (means[frame + 1] - means[frame])
    return means.reshape(values.shape).astype(np.float32)
