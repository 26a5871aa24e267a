"""The routes: requests in, answers of the service out."""

from collections.abc import AsyncIterator
from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from app.api.forms import Form, form_of
from app.api.pictures import PicturesResponse
from app.api.schemas import (
    HINTS,
    AnimateOptions,
    FramesOptions,
    LipsyncOptions,
    MotionsOptions,
    TalkOptions,
)
from app.api.service import Clip, Service
from app.api.told import TICKET, models_header
from app.errors import BadRequest
from app.jobs import AnimateJob, FramesJob, LipsyncJob, MotionsJob, TalkJob


class Routes:
    """The handlers, over one service."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def talk(self, request: Request) -> Response:
        """`POST /v1/talk`: a portrait and speech in, a talking head out."""
        async with form_of(request, ("portrait", "audio", "driving"), TalkOptions) as form:
            options = form.options
            follows = options.motion == "file"
            if form.has("driving") and not follows:
                raise BadRequest("The part `driving` goes with `motion=file`.", HINTS["motion"])
            job = TalkJob(
                portrait=await form.file("portrait"),
                audio=await form.file("audio"),
                fps=options.fps,
                size=options.size,
                motion=options.motion,
                face_index=options.face_index,
                seed=options.seed,
                driving=await form.file("driving") if follows else None,
                pace=options.pace,
                ticket=request.headers.get(TICKET, ""),
            )
        return ClipResponse(await self._service.render(job), "talk.mp4")

    async def animate(self, request: Request) -> Response:
        """`POST /v1/animate`: a portrait and a driving video or motion sequence in."""
        async with form_of(request, ("portrait", "driving"), AnimateOptions) as form:
            options = form.options
            job = AnimateJob(
                portrait=await form.file("portrait"),
                driving=await form.file("driving"),
                fps=options.fps,
                size=options.size,
                face_index=options.face_index,
                crop=options.crop,
                transfer=options.transfer(),
            )
        return ClipResponse(await self._service.render(job), "animate.mp4")

    async def lipsync(self, request: Request) -> Response:
        """`POST /v1/lipsync`: a video or a portrait in, and speech that its mouth follows."""
        async with form_of(request, ("video", "portrait", "audio"), LipsyncOptions) as form:
            options, is_photo = form.options, form.has("portrait")
            if is_photo == form.has("video"):
                raise BadRequest(
                    "The request needs one of the parts `video` and `portrait`.",
                    "Add `-F video=@FILE` or `-F portrait=@FILE`.",
                )
            job = LipsyncJob(
                face=await form.file("portrait" if is_photo else "video"),
                is_photo=is_photo,
                audio=await form.file("audio"),
                fps=options.fps,
                size=options.size,
                face_index=options.face_index,
            )
        return ClipResponse(await self._service.render(job), "lipsync.mp4")

    async def frames(self, request: Request) -> Response:
        """`POST /v1/frames`: a portrait or its id and a short piece of speech in, frames out."""
        async with form_of(request, ("portrait", "audio"), FramesOptions) as form:
            options = form.options
            job = FramesJob(
                portrait=options.portrait_id or await form.file("portrait"),
                audio=await form.file("audio"),
                is_raw=form.is_raw_speech("audio"),
                fps=options.fps,
                size=options.size,
                face_index=options.face_index,
                motion=options.motion,
                seed=options.seed,
                start=options.start,
                count=options.frames,
                before_ms=options.before_ms,
                gain_db=options.gain_db,
                quality=options.quality,
            )
            _check_portrait(form)
        pictures = await self._service.frames(job)
        return PicturesResponse(pictures, ",".join(request.headers.getlist("accept")))

    async def motions(self, request: Request) -> Response:
        """`POST /v1/motions`: a driving video in, its motion sequence out."""
        async with form_of(request, ("driving",), MotionsOptions) as form:
            options = form.options
            job = MotionsJob(await form.file("driving"), options.fps, options.face_index)
        recorded = await self._service.record(job)
        headers = {
            "content-disposition": 'attachment; filename="motion.npz"',
            "cache-control": "no-store",
            "x-digital-human-models": models_header(recorded.models),
            "x-digital-human-frames": str(recorded.frames),
            "x-digital-human-frames-without-face": str(recorded.frames_without_face),
            "server-timing": recorded.server_timing,
        }
        return Response(recorded.data, headers=headers, media_type="application/x-npz")

    async def healthz(self, request: Request) -> Response:
        """`GET /healthz`: this process answers."""
        return JSONResponse({"status": "ok"})

    async def readyz(self, request: Request) -> Response:
        """`GET /readyz`: every model can work."""
        await self._service.models()
        return JSONResponse({"status": "ready"})

    async def models(self, request: Request) -> Response:
        """`GET /v1/models`: what works here, an OpenAI-like list."""
        data = [
            {"id": card.variant, "object": "model", **asdict(card)}
            for card in await self._service.models()
        ]
        return JSONResponse({"object": "list", "data": data})

    async def metrics(self, request: Request) -> Response:
        """`GET /metrics`: this application's metrics, Prometheus text."""
        return Response(
            await self._service.metrics(), media_type="text/plain; version=0.0.4; charset=utf-8"
        )


def _check_portrait(form: Form[FramesOptions]) -> None:
    """Check that a kept portrait comes alone.

    Raises:
        BadRequest: it comes with a photo, or with fields that shaped it.
    """
    if form.options.portrait_id is None:
        return
    if form.has("portrait"):
        raise BadRequest("The request has both `portrait` and `portrait_id`.", HINTS["portrait_id"])
    if given := {"size", "face_index"} & form.options.model_fields_set:
        raise BadRequest(
            f"The field `{min(given)}` goes with the part `portrait`: the id keeps its value.",
            "Leave it out, or send the photo.",
        )


class ClipResponse(StreamingResponse):
    """Streams a clip, and stops its work when the client leaves.

    Args:
        clip: whose first bytes exist.
        name: of the file, for those who save it.
    """

    def __init__(self, clip: Clip, name: str) -> None:
        headers = {
            "content-disposition": f'inline; filename="{name}"',
            "cache-control": "no-store",
            "x-digital-human-models": models_header(clip.models),
            "x-digital-human-frames": str(clip.frames),
            "x-digital-human-faces": str(clip.faces),
            "server-timing": clip.server_timing,
        }
        if clip.notes:
            headers["x-digital-human-notes"] = ", ".join(clip.notes)
        super().__init__(self._chunks(), headers=headers, media_type="video/mp4")
        self._clip = clip

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the clip; whatever happens, its generator is closed."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._clip.rest.aclose()

    async def _chunks(self) -> AsyncIterator[bytes]:
        yield self._clip.first
        async for chunk in self._clip.rest:
            yield chunk
