"""The Ingress deployment: the HTTP door, and the session loop behind it."""

import asyncio
import logging
import os
from collections.abc import AsyncGenerator
from contextlib import ExitStack, aclosing
from typing import Any, assert_never

from ray.serve.handle import DeploymentHandle
from starlette.types import ASGIApp

from app.api.admission import Sessions
from app.api.app import create_app
from app.api.service import Clip, Recorded
from app.errors import DeadlineExceeded, NotReady
from app.jobs import AnimateJob, ClipJob, LipsyncJob, MotionsJob, TalkJob
from app.observability.labels import BUSY, DECISIONS, FAULTS, MODELS_OF_ROUTE
from app.observability.metrics import (
    ADMISSIONS,
    ENCODE,
    FRAMES,
    LATE_FRAMES,
    LATENCY,
    REQUESTS,
    SESSIONS,
    STAGE,
    VIDEO,
)
from app.observability.stages import StageTimes
from app.observability.story import story
from app.serving.calls import call
from app.serving.clip_meter import ClipMeter
from app.serving.disconnects import Disconnects
from app.serving.export import export
from app.serving.heap import Heap
from app.serving.http_traces import HttpTraces
from app.serving.logs import ToServe
from app.serving.meters import Meters
from app.serving.models import Models
from app.serving.stage import Stage
from app.serving.tracing import tracer_of
from app.settings import AppArgs
from app.values import ModelCard

READY_DEADLINE_S = 20.0

KINDS = {
    TalkJob: "talk",
    AnimateJob: "animate",
    LipsyncJob: "lipsync",
    MotionsJob: "motions",
}

logger = logging.getLogger("ray.serve")  # Ray adds request id, deployment and replica


class Ingress:
    """Answers HTTP; chains the models; encodes.

    Args:
        args: the application's settings.
        face: handle of `FaceAnalyzer`.
        portrait: handle of `PortraitAnimator`.
        lips: handle of `LipSync`.
    """

    def __init__(
        self,
        args: AppArgs,
        face: DeploymentHandle[Any],
        portrait: DeploymentHandle[Any],
        lips: DeploymentHandle[Any],
    ) -> None:
        ToServe.attach()
        self._args = args
        self._handles = Models(face, portrait, lips)
        self._meters = Meters()
        self._begin_metrics()
        self._tracer = tracer_of(args.tracing, "Ingress")
        self._stage = Stage(args, self._handles, self._tracer)
        self._cards: list[ModelCard] = []
        self._heap = Heap()

    def __serve_build_asgi_app__(self) -> ASGIApp:
        sessions = Sessions(
            self._args.session.max_sessions,
            lambda running: self._meters.set(SESSIONS, running),
            lambda decision: self._meters.count(ADMISSIONS, decision=decision),
        )
        # HAProxy connects from this machine, whoever asked, and Ray lets it not say who did.
        peers_hidden = os.environ.get("RAY_SERVE_ENABLE_HA_PROXY") == "1"
        app = Disconnects(create_app(self, self._args.api, sessions, peers_hidden))
        return HttpTraces(app, self._tracer) if self._args.tracing.exporter != "none" else app

    async def render(self, job: ClipJob) -> Clip:
        """Return the video of a job once its first fragment exists."""
        times = self._begin(job)
        meter = ClipMeter(self._meters, _route(job))
        with ExitStack() as stack:
            stack.callback(self._heap.release)
            cards = await self._made_by(_roles(job))
            take = await self._stage.prepare(job, times)
            self._heap.release()
            video = _owning(stack.pop_all(), self._stage.video(take, meter))
            first = await anext(video)  # what goes wrong until here is a refusal, no broken 200
        meter.began()
        story().began()
        return Clip(
            first=first,
            rest=video,
            frames=take.scene.num_frames,
            faces=take.faces,
            models=cards,
            server_timing=times.server_timing(),
            notes=take.notes,
        )

    async def record(self, job: MotionsJob) -> Recorded:
        """Return a motion sequence."""
        times = self._begin(job)
        with ExitStack() as stack:
            stack.callback(self._heap.release)
            cards = await self._made_by(frozenset(("face", "portrait")))
            data, frames, without_face = await self._stage.record(job, times)
        return Recorded(data, frames, without_face, cards, times.server_timing())

    def _begin(self, job: ClipJob | MotionsJob) -> StageTimes:
        """Return what times a job, and note both for the line of the log."""
        times = StageTimes(
            lambda stage, s: self._meters.observe(STAGE, s, stage=stage), self._tracer.span
        )
        story().job, story().times = KINDS[type(job)], times
        return times

    async def _made_by(self, roles: frozenset[str]) -> list[ModelCard]:
        """Return the cards of roles, and note them for the line of the log."""
        cards = self._cards or await self.models()
        cards = [card for card in cards if card.role in roles]
        story().models = {card.role: card.variant for card in cards}
        return cards

    def _begin_metrics(self) -> None:
        """Let there be what alerts look at, before it first happens."""
        self._meters.set(SESSIONS, 0)
        for decision in DECISIONS:
            self._meters.begin(ADMISSIONS, decision=decision)
        for route in MODELS_OF_ROUTE:
            for outcome in ("ok", *FAULTS, *BUSY):
                self._meters.begin(REQUESTS, **self._labels(route, outcome))
            for metric in (FRAMES, LATE_FRAMES, VIDEO, ENCODE):
                self._meters.begin(metric, route=route)

    def _labels(self, route: str, outcome: str) -> dict[str, str]:
        """Return the labels of a request: roles and variants belong to its route."""
        variants = {"portrait": self._args.portrait.variant, "lips": self._args.lips.variant}
        roles = MODELS_OF_ROUTE.get(route, ())
        return {
            "route": route,
            "model": "+".join(roles) or "none",
            "variant": "+".join(variants[role] for role in roles) or "none",
            "outcome": outcome,
        }

    async def models(self) -> list[ModelCard]:
        """Return a card per role, or raise why one cannot serve."""
        handles = (self._handles.face, self._handles.portrait, self._handles.lips)
        try:
            self._cards = await asyncio.gather(
                *(call(handle.ready, deadline_s=READY_DEADLINE_S) for handle in handles)
            )
        except DeadlineExceeded:
            raise NotReady("A model is still loading.", "Ask again in a few seconds.") from None
        return self._cards

    async def metrics(self) -> bytes:
        """Return this application's metrics in the Prometheus text format."""
        return await export()

    def observe(self, route: str, outcome: str, seconds: float) -> None:
        """Count one finished request, and write the one line of the log about it."""
        labels = self._labels(route, outcome)
        self._meters.count(REQUESTS, 1, **labels)
        self._meters.observe(LATENCY, seconds, **labels)
        logger.info(
            "%s %s in %.3f s",
            *(route, outcome, seconds),
            extra={
                # Ray names the application's prefix `route`.
                "route_path": route,
                "outcome": outcome,
                "seconds": round(seconds, 3),
                **story().fields(),
            },
        )


def _route(job: ClipJob) -> str:
    """Return the route that asks for a job, as a label."""
    match job:
        case TalkJob():
            return "/v1/talk"
        case AnimateJob():
            return "/v1/animate"
        case LipsyncJob():
            return "/v1/lipsync"
    assert_never(job)


def _roles(job: ClipJob) -> frozenset[str]:
    """Return the roles whose models make the video of a job."""
    match job:
        case TalkJob():
            return frozenset(("face", "portrait", "lips"))
        case AnimateJob():
            return frozenset(("face", "portrait"))
        case LipsyncJob():
            return frozenset(("face", "lips"))
    assert_never(job)


async def _owning(
    stack: ExitStack, chunks: AsyncGenerator[bytes, None]
) -> AsyncGenerator[bytes, None]:
    """Yield the chunks; once they end or are closed, leave what the stack holds."""
    with stack:
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk
