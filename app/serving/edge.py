"""What Ray Serve's proxy runs around each request: before it looks at it, and on its answer.

Ray calls `middlewares` in every proxy when `RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH` names it.
Without that, the ingress refuses requests that bear the headers removed here, and what the proxy
itself refuses is plain text.
"""

from typing import NamedTuple

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.middleware import MAX_ID_LENGTH, StripSteering
from app.api.problems import problem
from app.errors import AppError, DeadlineExceeded, NotReady, OverCapacity
from app.serving.heap import Heap

OWN_PATHS = "/-/"
"""Below it Serve answers probes of its own."""

BACK_PRESSURE = b"Request dropped due to backpressure"


class Refusal(NamedTuple):
    """What a problem says about an answer of Serve."""

    code: str
    title: str
    detail: str
    hint: str


def _refusal(kind: type[AppError], detail: str, hint: str) -> Refusal:
    return Refusal(kind.code, kind.title, detail, hint)


FULL = _refusal(OverCapacity, "The server's queue is full.", "Try again later.")

REFUSALS = {
    404: Refusal(
        "not_found",
        "Not found",
        "No application answers at this path.",
        "A server that starts or is updated says so too: ask again in a few seconds.",
    ),
    408: _refusal(
        DeadlineExceeded, "The answer took longer than the server allows.", "Ask for less at once."
    ),
    429: FULL,
    503: _refusal(
        NotReady, "The application is not available.", "Ask again; `serve status` says why."
    ),
}
"""By status. Serve's own refusals are plain text, and the application's are problems already."""


class Problems:
    """Turns what Serve itself refuses into problem documents; all else passes as it comes.

    Status and other headers, such as `retry-after` and `x-request-id`, stay.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request."""
        if scope["type"] != "http" or scope["path"].startswith(OWN_PATHS):
            await self._app(scope, receive, send)
            return
        held: Message | None = None

        async def translated(message: Message) -> None:
            nonlocal held
            if message["type"] == "http.response.start" and _is_refusal(message):
                held = message
                return
            if held is None:
                await send(message)
                return
            start, held = held, None
            # Serve sends a refusal's text at once; what goes on is something else.
            whole = message["type"] == "http.response.body" and not message.get("more_body")
            for part in _problem(scope, start, message) if whole else (start, message):
                await send(part)

        await self._app(scope, receive, translated)


def _is_refusal(start: Message) -> bool:
    kind = Headers(raw=list(start["headers"])).get("content-type", "")
    return start["status"] in REFUSALS and kind.partition(";")[0].strip() == "text/plain"


def _problem(scope: Scope, start: Message, body: Message) -> tuple[Message, Message]:
    """Return the two messages of the problem that stands for a refusal."""
    said = Headers(raw=[(bytes(name), bytes(value)) for name, value in start["headers"]])
    is_full = body.get("body", b"").startswith(BACK_PRESSURE)  # 503 unless configured as 429
    refusal = FULL if is_full else REFUSALS[start["status"]]
    request_id = said.get("x-request-id") or Headers(scope=scope).get("x-request-id", "")
    response = problem(start["status"], *refusal, request_id[:MAX_ID_LENGTH])
    ours = {name for name, _ in response.raw_headers}
    kept = [(name, value) for name, value in said.raw if name.lower() not in ours]
    return (
        {**start, "headers": [*response.raw_headers, *kept]},
        {"type": "http.response.body", "body": response.body},
    )


class Release:
    """Gives the memory that a request took in the proxy, such as its upload, back to the system."""

    def __init__(self, app: ASGIApp, heap: Heap) -> None:
        self._app = app
        self._heap = heap

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request."""
        is_upload = scope["type"] == "http" and scope["method"] == "POST"
        try:
            await self._app(scope, receive, send)
        finally:
            if is_upload:
                self._heap.release()


def middlewares() -> list[Middleware]:
    """Return the middleware of the proxy."""
    return [Middleware(StripSteering), Middleware(Release, heap=Heap()), Middleware(Problems)]
