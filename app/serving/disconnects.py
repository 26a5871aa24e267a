"""What Ray Serve tells an ingress of a client that has left, in ASGI's words."""

from ray.exceptions import RayError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

DISCONNECT: Message = {"type": "http.disconnect"}


class Disconnects:
    """Turns the errors of Serve's `receive` into `http.disconnect`.

    When the proxy gives a request up, what it was about to hand over is cancelled; at times that
    reaches the application first, as an error of Ray's, and would count as one of ours.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request."""

        async def told() -> Message:
            try:
                return await receive()
            except RayError:
                return DISCONNECT

        await self._app(scope, told if scope["type"] == "http" else receive, send)
