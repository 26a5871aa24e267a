"""The span of an HTTP request, outermost in the ingress."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.observability.tracing import (
    METHOD,
    OUTCOME,
    REQUEST_ID,
    ROUTE,
    SESSION_ID,
    STATUS,
    Span,
    Tracer,
)

QUIET = frozenset(("/healthz", "/readyz", "/metrics"))
"""Asked every few seconds by machines."""

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))

FINE = frozenset(("ok", "abandoned"))


class HttpTraces:
    """Traces requests; goes on with the trace that a W3C `traceparent` names.

    Args:
        app: runs the requests, and leaves in `scope["state"]` what is known of them.
        tracer: makes the spans.
    """

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request."""
        if scope["type"] != "http" or scope["path"] in QUIET:
            await self._app(scope, receive, send)
            return
        # A method may be anything that a client thinks of.
        method = scope["method"] if scope["method"] in METHODS else "_OTHER"
        parent = Headers(scope=scope).get("traceparent", "")
        with self._tracer.span(method, "server", parent, {METHOD: method}) as span:

            async def watched(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.note(STATUS, message["status"])
                await send(message)

            try:
                await self._app(scope, receive, watched)
            finally:
                _describe(span, method, scope.get("state", {}))


def _describe(span: Span, method: str, state: dict[str, str]) -> None:
    """Note what is known only at the end."""
    route, outcome = state.get("route", "unknown"), state.get("outcome", "")
    span.rename(f"{method} {route}")
    span.note(ROUTE, route)
    span.note(OUTCOME, outcome)
    span.note(REQUEST_ID, state.get("request_id", ""))
    span.note(SESSION_ID, state.get("session_id", ""))
    if outcome not in FINE:
        span.fail(outcome)
