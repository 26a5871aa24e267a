"""ASGI middleware: observation, keys, the limit of bytes, and headers that must not pass."""

import time
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.keys import Keys
from app.errors import BadRequest, TooLarge

Observe = Callable[[str, str, float], None]

MAX_ID_LENGTH = 128

STEERING_HEADERS = ("x-request-timeout-seconds", "x-request-disconnect-disabled")
"""Headers by which Ray Serve's proxy lets any client lift time limits and cancellation."""


class Requests:
    """Keeps every request's id, and observes how the request ended.

    The id is `x-request-id`: Serve's proxy takes it from the client, or makes one, and echoes it.
    """

    def __init__(self, app: ASGIApp, observe: Observe) -> None:
        self._app = app
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["request_id"] = Headers(scope=scope).get("x-request-id", "")[:MAX_ID_LENGTH]
        state["outcome"] = "abandoned"
        started_s = time.perf_counter()

        async def watched(message: Message) -> None:
            await send(message)
            is_last = message["type"] == "http.response.body" and not message.get("more_body")
            if is_last and state["outcome"] == "abandoned":
                state["outcome"] = "ok"

        try:
            await self._app(scope, receive, watched)
        except Exception:
            if state["outcome"] == "abandoned":
                state["outcome"] = "failed"  # after the first byte, too late for a problem
            raise
        finally:
            route = scope["path"] if "endpoint" in scope else "unknown"
            self._observe(route, state["outcome"], time.perf_counter() - started_s)


class Gate:
    """Lets requests in whose key is known, and notes who sent them; probes need no key."""

    OPEN = frozenset(("/healthz", "/readyz"))

    def __init__(self, app: ASGIApp, keys: Keys) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request.

        Raises:
            Unauthorized: no key, or a wrong one.
            BadRequest: the request bears a header with which clients would steer the proxy.
        """
        if scope["type"] in ("http", "websocket") and scope["path"] not in self.OPEN:
            scope.setdefault("state", {})["client"] = self._keys.client(scope)
            headers = Headers(scope=scope)
            if steering := [name for name in STEERING_HEADERS if name in headers]:
                raise BadRequest(f"Clients may not send the header {steering[0]}.", "Leave it out.")
        await self._app(scope, receive, send)


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
    """Refuses bodies over a limit: by their declared length, and by counting as they arrive."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "0")
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            # Checked in here, so that the error rises within the application that answers it.
            self._check(int(declared) if declared.isdecimal() else 0)
            message = await receive()
            seen += len(message.get("body", b""))
            self._check(seen)
            return message

        await self._app(scope, counted, send)

    def _check(self, size: int) -> None:
        if size > self._max_bytes:
            raise TooLarge(
                f"The request is larger than {self._max_bytes} bytes.",
                "Send a smaller photo or a compressed recording.",
            )
