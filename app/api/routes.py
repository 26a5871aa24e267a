"""The routes: requests in, answers of the service out."""

import codecs
from collections.abc import AsyncIterator, Iterable
from dataclasses import asdict

from pydantic import ValidationError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from app.api.schemas import HINTS, TalkOptions
from app.api.service import Clip, Service
from app.errors import BadRequest
from app.values import ModelCard, TalkJob


class Routes:
    """The handlers, over one service."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def talk(self, request: Request) -> Response:
        """`POST /v1/talk`: a portrait and speech in, a talking head out."""
        _check_content_type(request.headers.get("content-type", ""))
        async with request.form(max_files=2, max_fields=16) as form:
            options = _options(form, ("portrait", "audio"))
            job = TalkJob(
                portrait=await _part(form, "portrait"),
                audio=await _part(form, "audio"),
                fps=options.fps,
                size=options.size,
                motion=options.motion,
                face_index=options.face_index,
                seed=options.seed,
            )
        return ClipResponse(await self._service.talk(job))

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


class ClipResponse(StreamingResponse):
    """Streams a clip, and stops its work when the client leaves."""

    def __init__(self, clip: Clip) -> None:
        headers = {
            "content-disposition": 'inline; filename="talk.mp4"',
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


def models_header(cards: Iterable[ModelCard]) -> str:
    """Return `role=variant` pairs, such as `portrait=puppet, lips=viseme`.

    Made-up weights are marked: `lips=wav2lip;weights=seeded`.
    """
    return ", ".join(
        f"{card.role}={card.variant}" + (";weights=seeded" if card.weights == "seeded" else "")
        for card in cards
    )


def _check_content_type(value: str) -> None:
    """Refuse what is no form, or not in the one charset in which every text can be answered.

    Raises:
        BadRequest: it is.
    """
    kind, parameters = parse_options_header(value)
    if kind.strip() != b"multipart/form-data":
        raise BadRequest(
            "The request is not multipart/form-data.",
            "Send the parts `portrait` and `audio`, as `curl -F` does.",
        )
    charset = parameters.get(b"charset", b"utf-8").decode("latin-1")
    try:
        is_utf8 = codecs.lookup(charset).name == "utf-8"
    except (LookupError, ValueError):
        is_utf8 = False
    if not is_utf8:
        raise BadRequest("The form has a charset other than utf-8.", "Leave the charset out.")


def _options(form: FormData, parts: tuple[str, ...]) -> TalkOptions:
    """Return the validated text fields.

    Raises:
        BadRequest: a field is unknown, repeated, a file, or out of range.
    """
    names = [name for name, _ in form.multi_items()]
    known = (*parts, *TalkOptions.model_fields)
    if not set(names) <= set(known):  # their names are the client's content: not repeated here
        raise BadRequest("There is an unknown field.", f"Fields are: {', '.join(known)}.")
    repeated = [name for name in known if names.count(name) > 1]
    if repeated:
        raise BadRequest(f"Sent more than once: {', '.join(repeated)}.", "Send each part once.")
    fields = {name: value for name, value in form.items() if name not in parts}
    try:
        return TalkOptions.model_validate(fields)
    except ValidationError as error:
        name = str(error.errors(include_url=False, include_input=False)[0]["loc"][0])
        raise BadRequest(f"The field `{name}` has no valid value.", HINTS[name]) from None


async def _part(form: FormData, name: str) -> bytes:
    """Return the bytes of a file part.

    Raises:
        BadRequest: the part is missing, no file, or empty.
    """
    part = form.get(name)
    if part is None:
        raise BadRequest(f"The part `{name}` is missing.", f"Add `-F {name}=@FILE`.")
    if not isinstance(part, UploadFile):
        raise BadRequest(f"The part `{name}` is not a file.", f"Use `-F {name}=@FILE`.")
    data = await part.read()
    if not data:
        raise BadRequest(f"The part `{name}` is empty.", "Send a file with content.")
    return data
