"""ASGI middleware: observation and the limit of bytes."""

import time
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import TooLarge

Observe = Callable[[str, str, float], None]

MAX_ID_LENGTH = 128


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
