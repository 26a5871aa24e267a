"""ASGI middleware: observation, keys and places, bounds of bodies, headers that must not pass."""

import asyncio
import secrets
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.admission import Sessions
from app.api.config import ApiConfig
from app.api.keys import Client, Keys
from app.errors import BadRequest, TooLarge, UploadTimeout
from app.observability.origin import ORIGINS, Origin
from app.observability.story import STORY, Story

Observe = Callable[[str, str, float], None]

MAX_ID_LENGTH = 128

STEERING_HEADERS = ("x-request-timeout-seconds", "x-request-disconnect-disabled")
"""Headers by which Ray Serve's proxy lets any client lift time limits and cancellation."""


class Requests:
    """Keeps every request's id, and observes how the request ended.

    The id is `x-request-id`: Serve's proxy takes it from the client, or makes one, and echoes it.
    A request that brings work is a session, with an id of ours beside it: a client may send equal
    request ids, and does when it tries again.

    Args:
        app: runs the requests.
        observe: told route, outcome and seconds of each.
        routes: the paths that are told as they are; others are "unknown".
    """

    def __init__(self, app: ASGIApp, observe: Observe, routes: frozenset[str]) -> None:
        self._app = app
        self._observe = observe
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state, story = scope.setdefault("state", {}), Story()
        request_id = Headers(scope=scope).get("x-request-id", "")[:MAX_ID_LENGTH]
        session_id = secrets.token_hex(8) if scope["method"] == "POST" else ""
        route = scope["path"] if scope["path"] in self._routes else "unknown"
        state |= {"request_id": request_id, "session_id": session_id, "route": route}
        state["outcome"] = ""  # whoever knows better than what is seen here sets it
        ORIGINS.set((Origin(request_id, session_id),))  # a request is a task of its own
        STORY.set(story)
        started_s = time.perf_counter()
        counted, watched = _counted(story, receive), _watched(story, state, send)
        try:
            await self._app(scope, counted, watched)
        except Exception:
            # After the first byte it is too late for a problem.
            state["outcome"] = state["outcome"] or "failed"
            raise
        finally:
            state["outcome"] = state["outcome"] or "abandoned"
            self._observe(route, state["outcome"], time.perf_counter() - started_s)


def _counted(story: Story, receive: Receive) -> Receive:
    async def counted() -> Message:
        message = await receive()
        story.bytes_in += len(message.get("body", b""))
        return message

    return counted


def _watched(story: Story, state: dict[str, Any], send: Send) -> Send:
    async def watched(message: Message) -> None:
        await send(message)
        if message["type"] == "http.response.start":
            story.status = message["status"]
        elif message["type"] == "http.response.body":
            story.bytes_out += len(message.get("body", b""))
            if not message.get("more_body"):
                state["outcome"] = state["outcome"] or "ok"

    return watched


class Gate:
    """Lets requests in whose key is known; probes need none.

    A request that brings work holds a place from before its body is read until its answer has
    ended, so that neither uploads nor sessions can take all that the replica runs at once.
    """

    OPEN = frozenset(("/healthz", "/readyz"))

    def __init__(self, app: ASGIApp, keys: Keys, sessions: Sessions) -> None:
        self._app = app
        self._keys = keys
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request.

        Raises:
            Unauthorized: no key, or a wrong one.
            BadRequest: the request bears a header with which clients would steer the proxy.
            OverCapacity: all places are taken, or all of this client.
        """
        if scope["type"] not in ("http", "websocket") or scope["path"] in self.OPEN:
            await self._app(scope, receive, send)
            return
        client = self._keys.client(scope)
        headers = Headers(scope=scope)
        if steering := [name for name in STEERING_HEADERS if name in headers]:
            raise BadRequest(f"Clients may not send the header {steering[0]}.", "Leave it out.")
        with self._place(scope, client):
            await self._app(scope, receive, send)

    def _place(self, scope: Scope, client: Client) -> AbstractContextManager[None]:
        brings_work = scope["type"] == "http" and scope["method"] == "POST"
        return self._sessions.admitted(client) if brings_work else nullcontext()


class StripSteering:
    """Removes the headers with which a client would switch off the proxy's time limits.

    Runs in the proxy, before it looks at them (`app.serving.edge`).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request."""
        if scope["type"] in ("http", "websocket"):
            names = {name.encode() for name in STEERING_HEADERS}
            kept = [pair for pair in scope["headers"] if pair[0].lower() not in names]
            scope = {**scope, "headers": kept}
        await self._app(scope, receive, send)


class BodyLimit:
    """Refuses bodies over a limit: of bytes, declared or counted as they arrive, and of time."""

    def __init__(self, app: ASGIApp, limits: ApiConfig) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request."""
        if scope["type"] == "http":
            declared = Headers(scope=scope).get("content-length", "")
            receive = _Body(receive, declared, self._limits).receive
        await self._app(scope, receive, send)


class _Body:
    """One request's body, while it arrives.

    Args:
        receive: of the server.
        declared: the header `content-length`; may be empty or nonsense.
        limits: in bytes and seconds.
    """

    def __init__(self, receive: Receive, declared: str, limits: ApiConfig) -> None:
        self._receive = receive
        self._limits = limits
        # Of a longer number the head is over any limit too; Python refuses to read thousands.
        self._declared = int(declared[:18]) if declared.isdecimal() else 0
        self._until_s = time.monotonic() + limits.upload_s
        self._seen = 0
        self._is_whole = False

    async def receive(self) -> Message:
        """Return the server's next message.

        What it raises rises within the application that answers it.

        Raises:
            TooLarge: more bytes than allowed are declared or came.
            UploadTimeout: the body comes too slowly.
        """
        if self._is_whole:  # what comes now is that the client left, some time or never
            return await self._receive()
        self._check(self._declared)
        message = await self._next_part()
        self._seen += len(message.get("body", b""))
        self._is_whole = not message.get("more_body")
        self._check(self._seen)
        return message

    async def _next_part(self) -> Message:
        left_s = self._until_s - time.monotonic()
        try:
            async with asyncio.timeout(min(self._limits.upload_idle_s, left_s)):
                return await self._receive()
        except TimeoutError:
            raise UploadTimeout(
                f"The upload took longer than {self._limits.upload_s:g} s, or stood still for "
                f"{self._limits.upload_idle_s:g} s.",
                "Send a smaller photo or a compressed recording, or use a faster connection.",
            ) from None

    def _check(self, size: int) -> None:
        if size > self._limits.max_upload_bytes:
            raise TooLarge(
                f"The request is larger than {self._limits.max_upload_bytes} bytes.",
                "Send a smaller photo or a compressed recording.",
            )
