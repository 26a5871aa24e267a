"""Serve's word for a client that left becomes ASGI's."""

from ray.exceptions import TaskCancelledError
from starlette.types import Message, Receive, Scope, Send

from app.serving.disconnects import Disconnects


async def test_a_cancelled_receive_is_a_client_that_left() -> None:
    heard: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        heard.extend([await receive(), await receive()])

    parts = iter([{"type": "http.request", "body": b"a", "more_body": True}])

    async def receive() -> Message:
        for part in parts:
            return part
        raise TaskCancelledError

    async def send(message: Message) -> None: ...

    await Disconnects(app)({"type": "http"}, receive, send)
    assert [message["type"] for message in heard] == ["http.request", "http.disconnect"]
