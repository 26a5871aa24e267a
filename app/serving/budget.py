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


@dataclass(frozen=True, slots=True)
class Full:
    """Why a stream does not fit.

    Attributes:
        most_fps: frames/s that live streams may take.
        taken_fps: frames/s that those under way take.
        free_in_s: when it will fit, if those under way end in time.
    """

    most_fps: float
    taken_fps: float
    free_in_s: float


class Budget:
    """Keeps the frame rates of all live streams.

    Args:
        clock: wall-clock seconds from anywhere.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._streams: dict[str, tuple[float, float]] = {}

    def taken_fps(self) -> float:
        """Return what the streams under way take together."""
        return sum(fps for fps, _ in self._streams.values())

    def take(
        self, stream: str, fps: float, duration_s: float, capacity_fps: float | None
    ) -> Full | None:
        """Keep a stream's rate for it until it is given back, or say why not.

        Args:
            stream: names it.
            fps: its rate.
            duration_s: of the whole stream.
            capacity_fps: frames/s that all streams may count on; None while nothing was measured,
                when all are let in.
        """
        now_s = self._clock()
        alive = self._streams.items()
        self._streams = {name: of for name, of in alive if of[1] + FORGET_S > now_s}
        if capacity_fps is not None and (full := self._full(fps, SHARE * capacity_fps)):
            return full
        self._streams[stream] = fps, now_s + duration_s
        return None

    def give_back(self, stream: str) -> None:
        """Free a stream's rate; one that is not kept any more is passed over."""
        self._streams.pop(stream, None)

    def _full(self, fps: float, most_fps: float) -> Full | None:
        taken_fps = left_fps = self.taken_fps()
        if taken_fps + fps <= most_fps:
            return None
        free_s = 0.0
        for rate, ends_s in sorted(self._streams.values(), key=lambda stream: stream[1]):
            free_s, left_fps = max(0.0, ends_s - self._clock()), left_fps - rate
            if left_fps + fps <= most_fps:
                break
        return Full(most_fps, taken_fps, float(max(1, math.ceil(free_s))))


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
            raise OverCapacity(
                f"This server keeps {full.most_fps:.0f} frames a second for live streams; "
                f"{full.taken_fps:.0f} are taken, and this one needs {fps:g}.",
                "Come back later, ask for fewer frames a second, or leave out `pace=live`.",
                full.free_in_s,
            )
        return stack.pop_all()
