"""Places in the time to come: when a stream will fit, and who was told to come back for one.

Whoever is refused is told when there will be room. With a ticket that room is kept: newcomers get
what is left beside it, for as long as their own streams last. Job schedulers call it conservative
backfilling. Without a ticket it is only a forecast: others who are told later are told so much
later, and nothing is kept for somebody who may never come back.

All times are in seconds of one clock, all rates in frames/s.
"""

import math
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

NEW = "new"
"""What a client sends as its ticket that has none yet and will come back."""

GRACE_S = 3.0
"""So much later than told somebody may come back, upload and all, and the place is still kept."""

MOST_TICKETS = 64
"""Beyond so many, those who are refused are told when, and no place is kept."""

LONGEST_S = 60.0
"""The longest that anybody is told to stay away; by then all may be otherwise."""

_ROUNDING_FPS = _ROUNDING_S = 1e-6


@dataclass(frozen=True, slots=True)
class Taken:
    """A rate that is taken for a time.

    Attributes:
        fps: the rate.
        from_s: when it begins.
        duration_s: how long it lasts.
    """

    fps: float
    from_s: float
    duration_s: float


@dataclass(frozen=True, slots=True)
class Place:
    """What somebody was told to come back for.

    Attributes:
        taken: the rate, from when they were told to come back on.
        order: the lower, the sooner they were first told.
        ticket: keeps the place; empty where it is only forecast.
    """

    taken: Taken
    order: int
    ticket: str = ""


class Tickets:
    """The places that were promised, in the order in which they were.

    Args:
        most: how many are kept for tickets, and how many are only forecast.
    """

    def __init__(self, most: int = MOST_TICKETS) -> None:
        self._most = most
        self._kept: dict[str, Place] = {}
        self._forecast: list[Place] = []
        self._orders = 0

    def expire(self, now_s: float) -> None:
        """Drop the places that nobody came for in time."""
        until_s = now_s - GRACE_S
        self._kept = {name: of for name, of in self._kept.items() if of.taken.from_s > until_s}
        self._forecast = [of for of in self._forecast if of.taken.from_s > until_s]

    def arrived(self, now_s: float) -> None:
        """Drop the first forecast that is due: nobody knows who comes back without a ticket."""
        due = next((each for each in self._forecast if each.taken.from_s <= now_s), None)
        if due is not None:
            self._forecast.remove(due)

    def place(self, ticket: str) -> Place | None:
        """Return the place that a ticket keeps; None if it keeps none, or none any more."""
        return self._kept.get(ticket)

    def others(self, place: Place | None = None) -> list[Taken]:
        """Return what is kept for all but the one whose place this is."""
        return [each.taken for each in self._kept.values() if each is not place]

    def ahead(self, place: Place) -> list[Taken]:
        """Return what is kept for those who were told before the one whose place this is."""
        return [each.taken for each in self._kept.values() if each.order < place.order]

    def promised(self) -> list[Taken]:
        """Return all that others were told to come back for, kept or only forecast."""
        return [each.taken for each in (*self._kept.values(), *self._forecast)]

    def promise(self, taken: Taken, *, keep: bool) -> str:
        """Note what somebody was told; return the ticket that keeps it, or an empty one."""
        self._orders += 1
        if keep and len(self._kept) < self._most:
            ticket = secrets.token_urlsafe(12)
            self._kept[ticket] = Place(taken, self._orders, ticket)
            return ticket
        self._forecast = [*self._forecast, Place(taken, self._orders)][-self._most :]
        return ""

    def put_off(self, place: Place, taken: Taken) -> None:
        """Keep a place for later: what was there when it was due took longer than expected."""
        self._kept[place.ticket] = Place(taken, place.order, place.ticket)

    def give_up(self, ticket: str) -> None:
        """Free the place of a ticket; one that keeps none is passed over."""
        self._kept.pop(ticket, None)


def first_fit_s(held: Iterable[Taken], wanted: Taken, most_fps: float) -> float:
    """Return in how many whole seconds a rate fits and goes on to, for as long as it lasts.

    Args:
        held: what is taken, now or later.
        wanted: what is asked for, from now on.
        most_fps: of all rates at any time.

    Returns:
        0 where it fits now, else 1 or more; infinity where it never fits.
    """
    now_s = wanted.from_s
    if wanted.fps > most_fps + _ROUNDING_FPS:
        return math.inf
    changes: list[tuple[float, float]] = []
    for each in held:
        from_s = max(each.from_s, now_s)
        changes += [(from_s, each.fps), (from_s + each.duration_s, -each.fps)]
    wait_s, load_fps, since_s = 0.0, 0.0, now_s
    for at_s, change in sorted(changes):
        starts_s = now_s + wait_s
        is_over = load_fps + wanted.fps > most_fps + _ROUNDING_FPS
        if is_over and since_s < starts_s + wanted.duration_s and at_s > max(since_s, starts_s):
            wait_s = float(max(1, math.ceil(at_s - now_s - _ROUNDING_S)))
        load_fps += change
        since_s = at_s
    return wait_s
