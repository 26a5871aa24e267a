"""How many frames a second the whole application can make now."""

import asyncio
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
UNKNOWN_FRESH_S = 0.2
"""Streams are refused while nothing is known, so the next answer is wanted soon."""

ANSWER_S = 2.0

CPU_SHARE = 0.75
"""Of the CPUs, what is there for frames: Ray, the proxies and the clients beside them take the
rest. What the three kinds of replicas that make frames took of two cores when as much was asked as
they could make (`app.bench load --unit frames --concurrency 8`, 2026-11-27); with 0.84 a third
stream of 512 px was let in, and all three were late."""


UNMEASURED_CPU_S = 0.008
"""What an ingress replica takes of a CPU for a frame, until it has measured it: encoding one of
512 px, and what surrounds it, where the figure of `CPU_SHARE` was taken."""


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
    """

    def __init__(
        self,
        models: Models,
        own: Callable[[], Pace | None],
        running: Callable[[], Awaitable[Replicas]],
    ) -> None:
        self._models = models
        self._own = own
        self._running = running
        self._known: float | None = None
        self._asked_s = -FRESH_S

    async def frames_per_s(self) -> float | None:
        """Return the capacity; None while nothing was measured."""
        fresh_s = UNKNOWN_FRESH_S if self._known is None else FRESH_S
        if time.monotonic() - self._asked_s >= fresh_s:
            self._asked_s = time.monotonic()
            # While a model starts or is lost, what was known holds until the next time.
            with suppress(AppError, TimeoutError):
                self._known = await self._measured()
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
    """Return the least of what engines and CPUs make, in frames/s.

    Args:
        portrait: of one replica, as are the others.
        lips: likewise.
        own: of an ingress replica; None before its first frames, when it is taken to need
            `UNMEASURED_CPU_S` for each.
        running: what runs.
    """
    engines = {"PortraitAnimator": portrait, "LipSync": lips}
    limits = [running.of.get(name, 1) * pace.frames_per_s for name, pace in engines.items() if pace]
    cpu_s = sum(pace.cpu_s for pace in (portrait, lips) if pace)
    if limits:
        cpu_s += own.cpu_s if own else UNMEASURED_CPU_S
    if cpu_s:
        limits.append(CPU_SHARE * running.cpus / cpu_s)
    return min(limits, default=None)


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
