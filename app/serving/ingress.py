"""The Ingress deployment: the HTTP door, and the session loop behind it."""

import asyncio
from typing import Any

from ray.serve.handle import DeploymentHandle
from starlette.types import ASGIApp

from app.api.app import create_app
from app.api.service import Clip
from app.serving.calls import call
from app.serving.meters import Meters, export
from app.serving.talk import Models, Stage
from app.settings import AppArgs
from app.values import ModelCard, TalkJob

READY_DEADLINE_S = 20.0


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
        self._args = args
        self._handles = Models(face, portrait, lips)
        self._stage = Stage(args, self._handles)
        self._meters = Meters()
        self._cards: list[ModelCard] = []

    def __serve_build_asgi_app__(self) -> ASGIApp:
        return create_app(self, self._args.api)

    async def talk(self, job: TalkJob) -> Clip:
        """Return the video of a job once its first fragment exists."""
        cards = self._cards or await self.models()
        take = await self._stage.prepare(job)
        video = self._stage.video(take)
        return Clip(
            first=await anext(video),  # what goes wrong until here is a refusal, not a broken 200
            rest=video,
            frames=len(take.scene.motion),
            faces=take.faces,
            models=cards,
        )

    async def models(self) -> list[ModelCard]:
        """Return a card per role, or raise why one cannot serve."""
        handles = (self._handles.face, self._handles.portrait, self._handles.lips)
        self._cards = await asyncio.gather(
            *(call(handle.ready, deadline_s=READY_DEADLINE_S) for handle in handles)
        )
        return self._cards

    async def metrics(self) -> bytes:
        """Return this application's metrics in the Prometheus text format."""
        return await export()

    def observe(self, route: str, outcome: str, seconds: float) -> None:
        """Count one finished request."""
        self._meters.observe(route, outcome, seconds)
