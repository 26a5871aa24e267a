"""When the requests of an open loop are due: schedules that know nothing of any answer."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from app.errors import BadRequest

MOST_ARRIVALS = 20_000
"""Of one level: a schedule is finite, whatever rate is asked for."""

Pattern = Literal["poisson", "fixed"]


def arrivals(per_s: float, seconds: float, seed: int, pattern: Pattern) -> NDArray[np.float64]:
    """Return when requests are due, in seconds from the start, ascending; the first at 0.

    Args:
        per_s: mean arrivals per second, > 0.
        seconds: arrivals lie in [0, seconds).
        seed: of `poisson`; equal seeds give equal schedules.
        pattern: `poisson` as independent users come, `fixed` at equal distances.

    Raises:
        BadRequest: more than `MOST_ARRIVALS` would come.
    """
    if per_s * seconds > MOST_ARRIVALS:
        raise BadRequest(
            f"{per_s:g} a second for {seconds:g} s are more than {MOST_ARRIVALS} requests.",
            "Ask for a lower rate, or for fewer seconds.",
        )
    if pattern == "fixed":
        return np.arange(0.0, seconds, 1 / per_s)
    rng = np.random.default_rng(seed)
    # Six standard deviations above the mean: practically never too few, and cut to fit.
    count = round(per_s * seconds + 6 * np.sqrt(per_s * seconds)) + 1
    times_s = np.concatenate([[0.0], rng.exponential(1 / per_s, count).cumsum()])
    return times_s[times_s < seconds]


def starts(streams: int, within_s: float, seed: int) -> NDArray[np.float64]:
    """Return when streams begin that then run side by side, ascending; the first at 0."""
    rng = np.random.default_rng(seed)
    return np.concatenate([[0.0], np.sort(rng.uniform(0, within_s, streams - 1))])
