"""The Ingress deployment: the HTTP door, and the session loop behind it."""

import asyncio
import logging
import os
from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager, ExitStack, aclosing
from typing import Any, assert_never

from ray import serve
from ray.serve.handle import DeploymentHandle
from starlette.types import ASGIApp

from app.api.admission import Sessions
from app.api.app import create_app
from app.api.service import Clip, Pictures, Recorded
from app.errors import DeadlineExceeded, NotReady, OverCapacity
from app.jobs import AnimateJob, ClipJob, FramesJob, LipsyncJob, MotionsJob, TalkJob
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
from app.observability.origin import go_live
from app.observability.stages import StageTimes
from app.observability.story import story
from app.serving.budget import keep
from app.serving.calls import call
from app.serving.capacity import Capacity, replicas
from app.serving.clip_meter import ClipMeter
from app.serving.disconnects import Disconnects
from app.serving.export import export
from app.serving.heap import Heap
from app.serving.http_traces import HttpTraces
from app.serving.logs import ToServe
from app.serving.meters import Meters
from app.serving.models import Models
from app.serving.speed import Speed
from app.serving.stage import Stage
from app.serving.take import Take
from app.serving.tracing import tracer_of
from app.settings import AppArgs
from app.values import ModelCard

READY_DEADLINE_S = 20.0

KINDS = {
    TalkJob: "talk",
    FramesJob: "frames",
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
        self._speed = Speed(args.session.group_frames)
        self._capacity = Capacity(
            self._handles,
            self._speed.pace,
            lambda: replicas(serve.get_replica_context().app_name),
        )

    def __serve_build_asgi_app__(self) -> ASGIApp:
        settings = self._args.session
        sessions = Sessions(
            settings.max_sessions,
            lambda running: self._meters.set(SESSIONS, running),
            lambda decision: self._meters.count(ADMISSIONS, decision=decision),
            max_waiting=settings.max_waiting,
            max_wait_s=settings.max_wait_s,
        )
        # HAProxy connects from this machine, whoever asked, and Ray lets it not say who did.
        peers_hidden = os.environ.get("RAY_SERVE_ENABLE_HA_PROXY") == "1"
        app = Disconnects(create_app(self, self._args.api, sessions, peers_hidden))
        return HttpTraces(app, self._tracer) if self._args.tracing.exporter != "none" else app

    async def render(self, job: ClipJob) -> Clip:
        """Return the video of a job once its first fragment exists."""
        times = self._begin(job)
        meter = ClipMeter(self._meters, _route(job), self._speed.note)
        with ExitStack() as stack:
            stack.callback(self._heap.release)
            cards = await self._made_by(_roles(job))
            if isinstance(job, TalkJob) and job.pace == "live":
                go_live()
            take = await self._stage.prepare(job, times)
            stack.callback(take.close)
            self._heap.release()
            if take.pace == "live":
                ticket = job.ticket if isinstance(job, TalkJob) else ""
                stack.enter_context(await self._kept_for(take, ticket))
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

    async def _kept_for(
        self, take: Take, ticket: str
    ) -> AbstractContextManager[object, bool | None]:
        """Return what keeps a live stream's rate for it.

        Raises:
            OverCapacity: it does not fit beside the others.
        """
        capacity_fps = await self._capacity.frames_per_s()
        try:
            duration_s = float(take.scene.num_frames / take.fps)
            return await keep(float(take.fps), duration_s, capacity_fps, ticket)
        except OverCapacity:
            self._meters.count(ADMISSIONS, decision="live_full")
            raise

    async def record(self, job: MotionsJob) -> Recorded:
        """Return a motion sequence."""
        times = self._begin(job)
        with ExitStack() as stack:
            stack.callback(self._heap.release)
            cards = await self._made_by(frozenset(("face", "portrait")))
            data, frames, without_face = await self._stage.record(job, times)
        return Recorded(data, frames, without_face, cards, times.server_timing())

    def _begin(self, job: ClipJob | FramesJob | MotionsJob) -> StageTimes:
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

    async def frames(self, job: FramesJob) -> Pictures:
        """Return the frames of a chunk."""
        times = self._begin(job)
        go_live()
        with ExitStack() as stack:
            stack.callback(self._heap.release)
            cards = await self._made_by(frozenset(("face", "portrait", "lips")))
            chunk, jpegs = await self._stage.pictures(job, times)
        self._meters.count(FRAMES, len(jpegs), route="/v1/frames")
        self._meters.count(ENCODE, times.spent_s()["encode"], route="/v1/frames")
        return Pictures(
            jpegs=jpegs,
            portrait_id=chunk.seated.key,
            faces=chunk.seated.faces,
            gain_db=chunk.gain_db,
            models=cards,
            server_timing=times.server_timing(),
            notes=chunk.seated.notes,
        )

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
