"""Bodies that are slow, cut off or odd, at the level of ASGI: no client library sends them."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.types import ASGIApp, Message

from app.api.admission import Sessions
from app.api.app import create_app
from app.api.config import ApiConfig
from app.api.keys import KeyConfig, key_hash
from tests.unit.api.test_app import FakeService

FORM = "multipart/form-data; boundary=x"
HEAD = b'--x\r\ncontent-disposition: form-data; name="audio"; filename="a"\r\n\r\nsound'
FILES = (
    b'--x\r\ncontent-disposition: form-data; name="portrait"; filename="p"\r\n\r\nphoto\r\n'
    + HEAD
    + b"\r\n--x--\r\n"
)
HANGS_S = 10.0
LEFT: Message = {"type": "http.disconnect"}


def part(body: bytes, more: bool = True) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


@dataclass
class Answer:
    """What one request gave, how much of its body was asked for, and whether that stalls."""

    sent: list[Message] = field(default_factory=list)
    asked: int = 0
    stalls: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])

    @property
    def problem(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.sent[1]["body"])
        return document


async def ask(
    app: ASGIApp,
    *messages: Message,
    kind: str = FORM,
    path: str = "/v1/talk",
    method: str = "POST",
    headers: tuple[tuple[str, str], ...] = (),
    answer: Answer | None = None,
) -> Answer:
    """Send a request whose body stalls after the messages; return `answer`, or a new one."""
    answer = Answer() if answer is None else answer
    given = (("host", "localhost"), ("content-type", kind), *headers)
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in given],
        "client": ("127.0.0.1", 4000),
    }
    rest = iter(messages)

    async def receive() -> Message:
        answer.asked += 1
        message = next(rest, None)
        if message is None:
            answer.stalls.set()
            await asyncio.Event().wait()
            raise AssertionError
        return message

    async def send(message: Message) -> None:
        answer.sent.append(message)

    async with asyncio.timeout(HANGS_S):
        await app(scope, receive, send)
    return answer


@asynccontextmanager
async def stalled(app: ASGIApp, **kwargs: Any) -> AsyncIterator[None]:  # noqa: ANN401
    """Hold an upload that never goes on; its client leaves in the end, as Serve tells it."""
    answer = Answer()
    upload = asyncio.create_task(ask(app, part(HEAD), answer=answer, **kwargs))
    async with asyncio.timeout(HANGS_S):
        await answer.stalls.wait()
    try:
        yield
    finally:
        upload.cancel()
        await asyncio.gather(upload, return_exceptions=True)


def key(name: str, max_sessions: int) -> KeyConfig:
    return KeyConfig(name=name, sha256=key_hash(name), max_sessions=max_sessions)


async def test_stalled_uploads_take_places_and_others_are_refused_unread() -> None:
    seen: list[int] = []
    service = FakeService()
    app = create_app(service, ApiConfig(), Sessions(2, seen.append))
    async with stalled(app), stalled(app):
        refused = await ask(app, part(FILES, more=False))
        assert (refused.status, refused.asked) == (429, 0)
        assert refused.problem["code"] == "over_capacity"
        assert int(refused.headers[b"retry-after"]) > 0
        assert (await ask(app, path="/healthz", method="GET")).status == 200
        assert (await ask(app, path="/v1/models", method="GET")).status == 200
    assert (await ask(app, part(FILES, more=False))).status == 200
    assert seen == [1, 2, 1, 0, 1, 0]
    assert ("/v1/talk", "abandoned") in service.seen


async def test_uploads_of_one_key_are_bounded_by_its_places() -> None:
    config = ApiConfig(keys=(key("alice", 1), key("bob", 1)))
    app = create_app(FakeService(), config, Sessions(8))
    alice, bob = (("x-api-key", "alice"),), (("x-api-key", "bob"),)
    async with stalled(app, headers=alice):
        assert (await ask(app, headers=alice)).status == 429
        assert (await ask(app, part(FILES, more=False), headers=bob)).status == 200
    assert (await ask(app, part(FILES, more=False), headers=alice)).status == 200


async def test_a_place_is_kept_until_the_answer_has_ended() -> None:
    sessions = Sessions(1)
    running = 0

    class Slow(FakeService):
        """Looks whether there is a place while it answers."""

        async def render(self, job: Any) -> Any:  # noqa: ANN401
            nonlocal running
            running = (await ask(app, part(FILES, more=False))).status
            return await super().render(job)

    app = create_app(Slow(), ApiConfig(), sessions)
    assert (await ask(app, part(FILES, more=False))).status == 200
    assert running == 429


@pytest.mark.parametrize(
    "limits", [{"upload_idle_s": 0.02}, {"upload_s": 0.02}], ids=["stalled", "too_long"]
)
async def test_an_upload_that_is_too_slow_is_ended(limits: dict[str, float]) -> None:
    service = FakeService()
    app = create_app(service, ApiConfig(**limits), Sessions(1))  # type: ignore[arg-type]
    answer = await ask(app, part(HEAD))
    assert (answer.status, answer.problem["code"]) == (408, "upload_timeout")
    assert answer.problem["hint"]
    assert answer.headers[b"connection"] == b"close"
    assert service.seen == [("/v1/talk", "upload_timeout")]
    assert (await ask(app, part(FILES, more=False))).status == 200


async def test_once_a_body_is_whole_its_limits_of_time_are_over() -> None:
    class Slow(FakeService):
        """Streams for longer than an upload may take."""

        async def _rest(self) -> AsyncGenerator[bytes, None]:
            yield b"b"
            await asyncio.sleep(0.2)
            yield b"c"

    config = ApiConfig(upload_idle_s=0.05, upload_s=0.05)
    app = create_app(Slow(), config, Sessions(1))
    answer = await ask(app, part(FILES, more=False))
    assert answer.status == 200
    assert b"".join(message.get("body", b"") for message in answer.sent) == b"abc"


async def test_a_client_that_leaves_while_it_uploads_is_no_failure_of_ours(
    caplog: pytest.LogCaptureFixture,
) -> None:
    service = FakeService()
    app = create_app(service, ApiConfig(), Sessions(1))
    with caplog.at_level(logging.INFO):
        await ask(app, part(HEAD), LEFT)
    assert service.seen == [("/v1/talk", "abandoned")]
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize(
    "kind", ["Multipart/Form-Data; boundary=x", f"{FORM}; charset=UTF8", f'{FORM}; charset="utf-8"']
)
async def test_media_types_are_read_as_they_are_defined(kind: str) -> None:
    app = create_app(FakeService(), ApiConfig(), Sessions(1))
    assert (await ask(app, part(FILES, more=False), kind=kind)).status == 200


@pytest.mark.parametrize("charset", ["unicode_escape", "utf-7", "utf-16", "rot13", "no\0ne", ""])
async def test_a_form_in_another_charset_is_refused(charset: str) -> None:
    body = FILES.replace(b'"audio"', b'"\\ud800"')
    app = create_app(FakeService(), ApiConfig(), Sessions(1))
    answer = await ask(app, part(body, more=False), kind=f"{FORM}; charset={charset}")
    assert answer.status == 400
    assert "charset" in answer.problem["detail"]


@pytest.mark.parametrize("times", [1, 2])
async def test_names_of_unknown_fields_are_not_repeated(times: int) -> None:
    secret = b'--x\r\ncontent-disposition: form-data; name="secret"\r\n\r\n1\r\n'
    app = create_app(FakeService(), ApiConfig(), Sessions(1))
    answer = await ask(app, part(secret * times + FILES, more=False))
    assert (answer.status, answer.problem["code"]) == (400, "bad_request")
    assert b"secret" not in answer.sent[1]["body"]
    assert "face_index" in answer.problem["hint"]


@pytest.mark.parametrize(
    ("length", "status"), [("9" * 5000, 413), ("0" * 5000, 200), ("none", 200), ("", 200)]
)
async def test_any_declared_length_is_answered(length: str, status: int) -> None:
    app = create_app(FakeService(), ApiConfig(), Sessions(1))
    headers = (("content-length", length),)
    assert (await ask(app, part(FILES, more=False), headers=headers)).status == status


@pytest.mark.parametrize("path", ["/v1/talk", "/v1/models", "/metrics"])
async def test_a_refusal_at_the_gate_is_counted_under_its_route(path: str) -> None:
    service = FakeService()
    app = create_app(service, ApiConfig(keys=(key("alice", 1),)), Sessions(1))
    await ask(app, path=path)
    await ask(app, path=path + "/no")
    assert service.seen == [(path, "unauthorized"), ("unknown", "unauthorized")]
