"""What the proxy's middleware makes of answers: Serve's own, and the application's."""

from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from app.serving.edge import Problems

FULL = b"Request dropped due to backpressure (num_queued_requests=1, max_queued_requests=1)."


def start(status: int, kind: str, *more: tuple[bytes, bytes]) -> Message:
    headers = [(b"content-type", kind.encode()), *more, (b"x-request-id", b"abc")]
    return {"type": "http.response.start", "status": status, "headers": headers}


def body(data: bytes, more_body: bool | None = None) -> Message:
    message: Message = {"type": "http.response.body", "body": data}
    return message if more_body is None else {**message, "more_body": more_body}


async def sent_for(*answer: Message, path: str = "/v1/talk") -> list[Message]:
    """Return what reaches the client when the inner application answers so."""
    sent: list[Message] = []
    seen_by_then: list[int] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        for message in answer:
            await send(message)
            seen_by_then.append(len(sent))

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    await Problems(inner)({"type": "http", "path": path, "headers": []}, receive, send)
    if sent == list(answer):
        held = len(answer) > 1 and seen_by_then[0] == 0
        assert held or seen_by_then == list(range(1, len(answer) + 1)), "held back"
    return sent


def document(sent: list[Message]) -> tuple[dict[bytes, bytes], dict[str, Any]]:
    import json

    head, content = sent
    headers = dict(head["headers"])
    assert len(headers) == len(head["headers"]), "a header stands there twice"
    assert headers[b"content-type"] == b"application/problem+json"
    assert int(headers[b"content-length"]) == len(content["body"])
    assert not content.get("more_body")
    return headers, json.loads(content["body"])


@pytest.mark.parametrize(
    ("status", "text", "code"),
    [
        (429, FULL, "over_capacity"),
        (503, FULL, "over_capacity"),
        (503, b"Deployment 'Ingress' is unavailable.", "not_ready"),
        (408, b"Request abc timed out after 120.0s.", "deadline"),
        (404, b"Path '/v1/talk' not found. Ping http://.../-/routes.", "not_found"),
    ],
)
async def test_serves_own_refusals_become_problems(status: int, text: bytes, code: str) -> None:
    head = start(status, "text/plain; charset=utf-8", (b"retry-after", b"2"))
    sent = await sent_for(head, body(text))
    headers, problem = document(sent)
    assert sent[0]["status"] == problem["status"] == status
    assert problem["code"] == code
    assert problem["type"] == f"urn:digital-human:problem:{code}"
    assert problem["request_id"] == "abc"
    assert problem["detail"]
    assert problem["hint"]
    assert headers[b"retry-after"] == b"2"
    assert headers[b"x-request-id"] == b"abc"
    assert text.decode() not in problem["detail"]


@pytest.mark.parametrize(
    "answer",
    [
        [start(200, "video/mp4"), body(b"a", True), body(b"b", True), body(b"", False)],
        [start(429, "application/problem+json", (b"retry-after", b"7")), body(b"{}")],
        [start(404, "application/problem+json"), body(b"{}")],
        [start(200, "text/plain; version=0.0.4"), body(b"metrics 1", False)],
        [start(500, "text/plain"), body(b"Internal Server Error")],
        [start(503, "text/plain"), body(b"a stream", True), body(b"", False)],
    ],
    ids=["stream", "429", "404", "metrics", "500", "plain-stream"],
)
async def test_all_else_passes_as_it_comes(answer: list[Message]) -> None:
    assert await sent_for(*answer) == answer


async def test_serves_probes_keep_their_text() -> None:
    answer = [start(503, "text/plain"), body(b"DRAINING")]
    assert await sent_for(*answer, path="/-/healthz") == answer


async def test_other_protocols_pass() -> None:
    seen: list[str] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def nothing(*_: Message) -> Message:
        return {}

    await Problems(inner)({"type": "lifespan"}, nothing, nothing)  # type: ignore[arg-type]
    assert seen == ["lifespan"]
