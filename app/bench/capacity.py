"""The most that a server can take: searched for by doubling, then by halving what is left."""

from collections.abc import Awaitable, Callable

Holds = Callable[[float], Awaitable[bool]]
"""Whether the server holds a load: measured, so it costs time and may err near the limit."""

CLOSE = 1.1
"""Rates are searched until the lowest that failed is at most so many times the one that held."""


async def most_streams(holds: Holds, most: int) -> int:
    """Return the largest count that holds, 0 if not even one does.

    Args:
        holds: tries a count.
        most: the largest that is tried, >= 1.
    """
    low, high = 0, most + 1
    while high - low > 1:
        trial = min(2 * low or 1, most) if high > most else (low + high) // 2
        if await holds(trial):
            low = trial
        else:
            high = trial
    return low


async def most_per_s(holds: Holds, least: float, most: float) -> float:
    """Return the largest rate that holds, within a factor of `CLOSE`; 0 if `least` does not.

    Args:
        holds: tries a rate.
        least: the first that is tried, > 0.
        most: the largest that is tried.
    """
    low, high = 0.0, float("inf")
    trial = least
    while True:
        if await holds(trial):
            low = trial
        else:
            high = trial
        if low in (0.0, most) or high / low <= CLOSE:
            return low
        trial = min(2 * low, most) if high == float("inf") else (low * high) ** 0.5
