"""What live streams may take of the frames that the models make: so much, and then no more.

One account for all ingress replicas, in an actor that Serve keeps beside them: each with a share of
its own would refuse streams while the others have room, eight replicas every stream but one each.
"""

import asyncio
import math
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import ray
from ray import serve
from ray.exceptions import RayError
from ray.serve.config import DeploymentActorConfig

from app.errors import NotReady, OverCapacity
from app.serving.tickets import LONGEST_S, Place, Taken, Tickets, first_fit_s

SHARE = 0.95
"""Of the capacity that live streams may take. The rest is for uneven times."""

FORGET_S = 60.0
"""So long after a stream should have ended its rate is free again: its replica was lost."""

NAME = "budget"
ANSWER_S = 5.0

MEASURED_S = 1.0
"""So long after the first stream was let in it is known what it costs, about."""

LATE_S = 1.0
"""A stream that should have ended may take so much longer at least."""

MEMORY = 0.2
"""What share a stream has in the average of how long streams take."""


@dataclass(frozen=True, slots=True)
class Full:
    """Why a stream does not fit.

    Attributes:
        most_fps: frames/s that live streams may take; None while nothing was measured.
        taken_fps: frames/s that those under way take.
        free_in_s: when it will fit, if those under way end as expected, and those who were told
            before to come back do.
        ticket: keeps that place for who brings it; empty where none is kept.
    """

    most_fps: float | None
    taken_fps: float
    free_in_s: float
    ticket: str = ""


class Budget:
    """Keeps the frame rates of all live streams.

    Args:
        clock: wall-clock seconds from anywhere.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._streams: dict[str, Taken] = {}
        self._tickets = Tickets()
        self._capacity_fps: float | None = None
        """As a replica told last: one that has just started does not know it yet."""
        self._longer = 1.0
        """How many times as long as its video a stream takes: a machine that is behind, or a slow
        reader, ends later."""

    def taken_fps(self) -> float:
        """Return what the streams under way take together."""
        return sum(stream.fps for stream in self._streams.values())

    def take(
        self,
        stream: str,
        fps: float,
        duration_s: float,
        capacity_fps: float | None,
        ticket: str = "",
    ) -> Full | None:
        """Keep a stream's rate for it until it is given back, or say why not.

        Args:
            stream: names it.
            fps: its rate.
            duration_s: of the whole stream.
            capacity_fps: frames/s that all streams may count on; None where that was not measured:
                then what was told last counts, and before that one stream at a time is let in.
            ticket: of an earlier refusal of the same stream; `tickets.NEW`, or one that is not
                known any more, asks for one; empty keeps no place.
        """
        now_s = self._clock()
        self._forget(now_s)
        self._capacity_fps = capacity_fps or self._capacity_fps
        wanted, place = Taken(fps, now_s, duration_s), self._place(ticket, fps, duration_s)
        if not ticket:
            self._tickets.arrived(now_s)
        if self._capacity_fps is None and self._streams:
            return Full(None, self.taken_fps(), MEASURED_S)
        most_fps = math.inf if self._capacity_fps is None else SHARE * self._capacity_fps
        if place is None or now_s < place.taken.from_s:
            kept = self._tickets.others(place)
        else:
            kept = self._tickets.ahead(place)
        if not self._wait_s(kept, wanted, most_fps):
            self._tickets.give_up(ticket)
            self._streams[stream] = wanted
            return None
        if place is None:
            return self._refused(wanted, most_fps, keep=bool(ticket))
        return self._put_off(place, wanted, most_fps)

    def give_back(self, stream: str) -> None:
        """Free a stream's rate; one that is not kept any more is passed over."""
        ended = self._streams.pop(stream, None)
        if ended is not None:
            # One that its viewer left says nothing of how long others take.
            # One that a slow reader drags on says little: at most twice.
            longer = (self._clock() - ended.from_s) / max(ended.duration_s, 1.0)
            longer = min(max(1.0, longer), 2.0)
            self._longer += MEMORY * (longer - self._longer)

    def _forget(self, now_s: float) -> None:
        """Drop streams of lost replicas, and places that nobody came for."""
        alive = self._streams.items()
        until_s = now_s - FORGET_S
        self._streams = {name: of for name, of in alive if of.from_s + of.duration_s > until_s}
        self._tickets.expire(now_s)

    def _place(self, ticket: str, fps: float, duration_s: float) -> Place | None:
        """Return the place that a ticket keeps, if it is large enough for what is asked now."""
        place = self._tickets.place(ticket)
        if place and fps <= place.taken.fps and duration_s <= place.taken.duration_s:
            return place
        self._tickets.give_up(ticket)
        return None

    def _refused(self, wanted: Taken, most_fps: float, *, keep: bool) -> Full:
        """Return when there is room behind all that others were told, and promise it."""
        wait_s = min(LONGEST_S, self._wait_s(self._tickets.promised(), wanted, most_fps))
        ticket = ""
        if wait_s < LONGEST_S:
            later = replace(wanted, from_s=wanted.from_s + wait_s)
            ticket = self._tickets.promise(later, keep=keep)
        return Full(most_fps, self.taken_fps(), wait_s, ticket)

    def _put_off(self, place: Place, wanted: Taken, most_fps: float) -> Full:
        """Return when who has a ticket finds room: too early as told, else behind those ahead."""
        now_s, from_s = wanted.from_s, place.taken.from_s
        if now_s < from_s:
            wait_s = float(math.ceil(from_s - now_s))
        else:
            wait_s = min(LONGEST_S, self._wait_s(self._tickets.ahead(place), wanted, most_fps))
            later = replace(place.taken, from_s=now_s + wait_s)
            self._tickets.put_off(place, later)
        return Full(most_fps, self.taken_fps(), wait_s, place.ticket)

    def _wait_s(self, promised: Sequence[Taken], wanted: Taken, most_fps: float) -> float:
        """Return in how many whole seconds a stream fits beside those under way and others."""
        now_s = wanted.from_s
        under_way = [
            Taken(each.fps, now_s, self._left_s(each, now_s)) for each in self._streams.values()
        ]
        later = [replace(each, duration_s=self._longer * each.duration_s) for each in promised]
        longer = replace(wanted, duration_s=self._longer * wanted.duration_s)
        return first_fit_s([*under_way, *later], longer, most_fps)

    def _left_s(self, held: Taken, now_s: float) -> float:
        """Return how long a rate stays taken; one that is late will be as long again as it is."""
        left_s = held.from_s + self._longer * held.duration_s - now_s
        return left_s if left_s > 0 else max(LATE_S, -left_s)


def budget_actor() -> DeploymentActorConfig:
    """Return what has Serve keep the one account beside the ingress replicas."""
    account = ray.remote(Budget)
    return DeploymentActorConfig(
        name=NAME, actor_class=account, actor_options={"num_cpus": 0, "max_concurrency": 1}
    )


async def keep(
    fps: float, duration_s: float, capacity_fps: float | None, ticket: str = ""
) -> ExitStack:
    """Return what keeps a live stream's rate for it until it is left; within an ingress replica.

    Args:
        fps: its rate.
        duration_s: of the whole stream.
        capacity_fps: as `Budget.take` has it.
        ticket: likewise.

    Raises:
        OverCapacity: it does not fit beside the others now, or not at all.
        NotReady: the account is just being replaced.
    """
    stream = secrets.token_hex(8)
    with ExitStack() as stack:
        try:
            budget: Any = serve.get_deployment_actor(NAME)
            stack.callback(budget.give_back.remote, stream)
            async with asyncio.timeout(ANSWER_S):
                full = await budget.take.remote(stream, fps, duration_s, capacity_fps, ticket)
        except (RayError, ValueError, TimeoutError):
            raise NotReady("Live streams are not counted just now.", "Try again.") from None
        if full is not None:
            keeps = "How many frames a second there are for live streams is just being measured"
            if full.most_fps is not None:
                keeps = f"This server keeps {full.most_fps:.0f} frames a second for live streams"
            raise OverCapacity(
                f"{keeps}; {full.taken_fps:.0f} are taken, and this one needs {fps:g}.",
                "Come back later, ask for fewer frames a second, or leave out `pace=live`.",
                full.free_in_s,
                full.ticket,
            )
        return stack.pop_all()
