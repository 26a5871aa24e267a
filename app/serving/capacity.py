"""How many frames a second the whole application can make now."""

import asyncio
import math
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import ray
from ray import serve

from app.errors import AppError
from app.serving.calls import call
from app.serving.models import Models
from app.serving.speed import Pace

FRESH_S = 2.0

UNKNOWN_S = 0.25
"""So soon what is not known yet is asked for again: the first stream shows it within a moment."""

ANSWER_S = 2.0

CPU_SHARE = 0.7
"""Of the CPUs, what is there for frames: Ray, the proxies and the clients beside them take the
rest. When as much was asked as two cores could make, the three kinds of replicas that make frames
took 0.75 (`app.bench load --unit frames --concurrency 8`, 2026-11-27). With 0.84 a third stream of
512 px was let in, and all three were late; with 0.75 some frames were late in one of two runs of
`app.bench overload`. 0.7 is below both, and not measured yet."""


@dataclass(frozen=True, slots=True)
class Replicas:
    """What runs: replicas of each deployment, and CPUs for all of them."""

    of: Mapping[str, int]
    cpus: float


class Capacity:
    """Asks, and remembers the answer for a moment.

    Args:
        models: where the models run.
        own: what this ingress replica does per frame; encoding is its work.
        running: what runs.
        clock: wall-clock seconds from anywhere.
    """

    def __init__(
        self,
        models: Models,
        own: Callable[[], Pace | None],
        running: Callable[[], Awaitable[Replicas]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._models = models
        self._own = own
        self._running = running
        self._known: float | None = None
        self._asked_s = -math.inf

    async def frames_per_s(self) -> float | None:
        """Return the capacity; None until both models and the encoder were measured."""
        fresh_s = UNKNOWN_S if self._known is None else FRESH_S
        if self._clock() - self._asked_s >= fresh_s:
            self._asked_s = self._clock()
            # While a model starts or is lost, what was known holds until the next time.
            with suppress(AppError, TimeoutError):
                self._known = await self._measured() or self._known
        return self._known

    async def _measured(self) -> float | None:
        handles = (self._models.portrait, self._models.lips)
        portrait, lips, running = await asyncio.gather(
            *(call(handle.pace, deadline_s=ANSWER_S) for handle in handles), self._running()
        )
        return shared(portrait, lips, self._own(), running)


def shared(
    portrait: Pace | None, lips: Pace | None, own: Pace | None, running: Replicas
) -> float | None:
    """Return the least of what engines and CPUs make, in frames/s; None if one is not known.

    What is left out of the sum would be promised to streams: an ingress replica that has not
    encoded yet says nothing.

    Args:
        portrait: of one replica, as are the others.
        lips: likewise.
        own: of an ingress replica.
        running: what runs.
    """
    if portrait is None or lips is None or own is None:
        return None
    engines = {"PortraitAnimator": portrait, "LipSync": lips}
    limits = [running.of.get(name, 1) * pace.frames_per_s for name, pace in engines.items()]
    cpu_s = portrait.cpu_s + lips.cpu_s + own.cpu_s
    if cpu_s:
        limits.append(CPU_SHARE * running.cpus / cpu_s)
    return min(limits)


async def replicas(application: str) -> Replicas:
    """Return what runs of an application on this cluster."""
    status = await asyncio.to_thread(serve.status)
    deployments = status.applications[application].deployments
    nodes = [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    # What Ray counts on a machine of one's own is a setting; the machine itself is not.
    cpus = os.cpu_count() or 1
    if len(nodes) > 1:
        cpus = sum(node["Resources"].get("CPU", 0) for node in nodes)
    running = {
        name: sum(many for state, many in of.replica_states.items() if state == "RUNNING")
        for name, of in deployments.items()
    }
    return Replicas(running, float(cpus))
