"""What live streams may take of the frames that the models make: so much, and then no more.

One account for all ingress replicas, in an actor that Serve keeps beside them: each with a share of
its own would refuse streams while the others have room, eight replicas every stream but one each.
"""

import asyncio
import math
import secrets
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import ray
from ray import serve
from ray.exceptions import RayError
from ray.serve.config import DeploymentActorConfig

from app.errors import NotReady, OverCapacity

SHARE = 0.95
"""Of the capacity that live streams may take. The rest is for uneven times."""

FORGET_S = 60.0
"""So long after a stream should have ended its rate is free again: its replica was lost."""

NAME = "budget"
ANSWER_S = 5.0


LONGEST_S = 60.0
"""The longest that anybody is told to stay away; by then all may be otherwise."""

GRACE_S = 2.0
"""So much later than told somebody may come back, and what was promised still counts."""

MEASURED_S = 1.0
"""So long after the first stream was let in it is known what it costs, about."""

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
    """

    most_fps: float | None
    taken_fps: float
    free_in_s: float


@dataclass(frozen=True, slots=True)
class Taken:
    """A rate that is taken for a time, by the clock in seconds."""

    fps: float
    from_s: float
    duration_s: float


class Budget:
    """Keeps the frame rates of all live streams.

    Args:
        clock: wall-clock seconds from anywhere.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._streams: dict[str, Taken] = {}
        self._promised: list[Taken] = []
        self._longer = 1.0
        """How many times as long as its video a stream takes: a machine that is behind, or a slow
        reader, ends later."""

    def taken_fps(self) -> float:
        """Return what the streams under way take together."""
        return sum(stream.fps for stream in self._streams.values())

    def take(
        self, stream: str, fps: float, duration_s: float, capacity_fps: float | None
    ) -> Full | None:
        """Keep a stream's rate for it until it is given back, or say why not.

        Args:
            stream: names it.
            fps: its rate.
            duration_s: of the whole stream.
            capacity_fps: frames/s that all streams may count on; None while nothing was measured:
                then one is let in, and what it costs is known in a moment.
        """
        now_s = self._clock()
        self._forget(now_s)
        taken_fps = self.taken_fps()
        if capacity_fps is None and self._streams:
            return Full(None, taken_fps, MEASURED_S)
        most_fps = math.inf if capacity_fps is None else SHARE * capacity_fps
        if taken_fps + fps <= most_fps:
            self._streams[stream] = Taken(fps, now_s, duration_s)
            return None
        free_in_s = self._free_in_s(fps, most_fps, now_s)
        if free_in_s < LONGEST_S:
            self._promised.append(Taken(fps, now_s + free_in_s, duration_s))
        return Full(most_fps, taken_fps, free_in_s)

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
        """Drop streams of lost replicas, promises that nobody wants, and one that is kept now.

        Nobody knows who comes back: whoever comes while a promise is due takes its place.
        """
        alive = self._streams.items()
        until_s = now_s - FORGET_S
        self._streams = {name: of for name, of in alive if of.from_s + of.duration_s > until_s}
        self._promised = [each for each in self._promised if each.from_s + GRACE_S > now_s]
        due = next((each for each in self._promised if each.from_s <= now_s), None)
        if due is not None:
            self._promised.remove(due)

    def _free_in_s(self, fps: float, most_fps: float, now_s: float) -> float:
        """Return in how many whole seconds a rate will fit, at least one."""
        held = [*self._streams.values(), *self._promised]
        left_fps = sum(each.fps for each in held)
        for free_s, rate in sorted((self._left_s(each, now_s), each.fps) for each in held):
            left_fps -= rate
            if left_fps + fps <= most_fps:
                return min(LONGEST_S, float(max(1, math.ceil(free_s))))
        return LONGEST_S

    def _left_s(self, held: Taken, now_s: float) -> float:
        """Return how long a rate stays taken; one that is late will be as long again as it is."""
        return abs(held.from_s + self._longer * held.duration_s - now_s)


def budget_actor() -> DeploymentActorConfig:
    """Return what has Serve keep the one account beside the ingress replicas."""
    account = ray.remote(Budget)
    return DeploymentActorConfig(
        name=NAME, actor_class=account, actor_options={"num_cpus": 0, "max_concurrency": 1}
    )


async def keep(fps: float, duration_s: float, capacity_fps: float | None) -> ExitStack:
    """Return what keeps a live stream's rate for it until it is left; within an ingress replica.

    Args:
        fps: its rate.
        duration_s: of the whole stream.
        capacity_fps: as `Budget.take` has it.

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
                full = await budget.take.remote(stream, fps, duration_s, capacity_fps)
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
            )
        return stack.pop_all()
