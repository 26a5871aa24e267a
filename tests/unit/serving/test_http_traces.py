"""The span of a request."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from app.observability.tracing import Kind, NoTracer, Span, Value
from app.serving.http_traces import HttpTraces


class Under:
    def __init__(self, parent: str | None) -> None:
        self.parent = parent
        self.name = ""
        self.notes: dict[str, Any] = {}
        self.failed = ""

    def rename(self, name: str) -> None:
        self.name = name

    def note(self, name: str, value: Any) -> None:  # noqa: ANN401
        self.notes[name] = value

    def fail(self, kind: str) -> None:
        self.failed = kind


class Told(NoTracer):
    """Keeps its spans."""

    def __init__(self) -> None:
        self.spans: list[Under] = []

    @contextmanager
    def span(
        self,
        name: str,
        kind: Kind = "internal",
        parent: str | None = None,
        attributes: dict[str, Value] | None = None,
    ) -> Iterator[Span]:
        under = Under(parent)
        under.notes |= attributes or {}
        self.spans.append(under)
        yield under


async def asked(method: str, path: str, outcome: str, **headers: str) -> list[Under]:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {}).update(
            {"route": "/v1/talk", "outcome": outcome, "request_id": "r", "session_id": "s"}
        )
        await send({"type": "http.response.start", "status": 418, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    tracer = Told()
    transport = httpx.ASGITransport(HttpTraces(app, tracer))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        await http.request(method, path, headers=headers)
    return tracer.spans


async def test_a_request_is_told_by_route_status_outcome_and_ids() -> None:
    (span,) = await asked("POST", "/v1/talk?who=secret", "ok", traceparent="theirs")
    assert (span.name, span.parent, span.failed) == ("POST /v1/talk", "theirs", "")
    assert span.notes == {
        "http.request.method": "POST",
        "http.route": "/v1/talk",
        "http.response.status_code": 418,
        "digital_human.outcome": "ok",
        "digital_human.request_id": "r",
        "digital_human.session_id": "s",
    }


@pytest.mark.parametrize(("outcome", "failed"), [("abandoned", ""), ("no_face", "no_face")])
async def test_a_client_that_leaves_has_not_failed(outcome: str, failed: str) -> None:
    (span,) = await asked("POST", "/v1/talk", outcome)
    assert span.failed == failed


async def test_methods_are_of_a_closed_set() -> None:
    (span,) = await asked("SECRET", "/v1/talk", "method_not_allowed")
    assert span.name == "_OTHER /v1/talk"
    assert span.notes["http.request.method"] == "_OTHER"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_probes_are_not_traced(path: str) -> None:
    assert await asked("GET", path, "ok") == []
