"""A server that answers as ours does, at once, and with what a test asks of it."""

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from app.client.server import free_port
from app.media.config import MediaConfig
from app.media.mp4 import Mp4Writer

GROUP = 4
GROUPS = 6
FRAMES = GROUP * GROUPS
JPEG = b"\xff\xd8\xff\xe0 a picture \xff\xd9"


def fragments() -> list[bytes]:
    """Return the pieces of a small video of `FRAMES` frames, as a writer of ours hands them on."""
    rng = np.random.default_rng(0)
    writer = Mp4Writer(64, 64, Fraction(25), None, MediaConfig(), num_frames=FRAMES)
    pieces = [
        writer.write(rng.integers(0, 255, (GROUP, 64, 64, 3), np.uint8)) for _ in range(GROUPS)
    ]
    return [piece for piece in (*pieces, writer.finish()) if piece]


@dataclass
class Fake:
    """What the server does, and what it was asked.

    Attributes:
        url: where it answers.
        mode: of the next answers.
        asked: text fields and parts of each request, in order.
        known: ids of portraits.
        frames: rendered so far, as `/metrics` says.
    """

    url: str = ""
    mode: str = "well"
    asked: list[dict[str, str]] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    frames: int = 0
    pieces: list[bytes] = field(default_factory=fragments)

    async def talk(self, request: Request) -> Response:
        await self._note(request)
        match self.mode:
            case "refuse":
                problem = {"code": "over_capacity", "detail": "Full.", "hint": ""}
                return _problem(429, problem, {"retry-after": "2.0"})
            case "fail":
                return _problem(503, {"code": "not_ready", "detail": "No model.", "hint": ""})
            case "proxy":
                return PlainTextResponse("upstream", 502)
            case "noise":
                pieces = [b"\x00\x00\x00\x01 this is no MP4"]
            case "short":
                pieces = self.pieces[:-2]
            case _:
                pieces = self.pieces
        self.frames += FRAMES
        headers = {"x-digital-human-frames": f"{FRAMES}"}
        return StreamingResponse(self._stream(pieces), headers=headers, media_type="video/mp4")

    async def _stream(self, pieces: list[bytes]) -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece
        if self.mode == "hang":
            raise RuntimeError("the replica dies")

    async def chunk(self, request: Request) -> Response:
        fields = await self._note(request)
        portrait = fields.get("portrait_id", "the-photo")
        if "portrait" in fields:
            self.known.add(portrait)
        if "portrait_id" in fields and "size" in fields:
            problem = {"code": "bad_request", "detail": "Size of what?", "hint": ""}
            return _problem(400, problem)
        if portrait not in self.known:
            problem = {"code": "unknown_portrait", "detail": "Forgotten.", "hint": ""}
            return _problem(404, problem)
        speech_s = int(fields["audio"]) / 2 / 16_000
        frames = int(fields["frames"])
        assert 40 * int(fields["start"]) >= float(fields["before_ms"])
        assert speech_s > -1e-6 + float(fields["before_ms"]) / 1000 + frames / 25 + 0.2
        parts = [JPEG] * (frames - (self.mode == "short"))
        body = b"".join(b"--b\r\ncontent-type: image/jpeg\r\n\r\n" + p + b"\r\n" for p in parts)
        headers = {"x-digital-human-portrait": portrait}
        return Response(body + b"--b--\r\n", 200, headers, "multipart/mixed; boundary=b")

    async def _note(self, request: Request) -> dict[str, str]:
        form = await request.form()
        fields = {
            name: f"{value.size}" if isinstance(value, UploadFile) else value
            for name, value in form.items()
        }
        self.asked.append(fields)
        return fields

    async def ready(self, request: Request) -> Response:
        return JSONResponse({"status": "ready"})

    async def models(self, request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [{"id": "puppet", "role": "portrait"}]})

    async def metrics(self, request: Request) -> Response:
        lines = (
            "# TYPE digital_human_frames counter",
            f"digital_human_frames_total {self.frames}",
        )
        return PlainTextResponse("\n".join(lines) + "\n")


def _problem(
    status: int, content: dict[str, str], headers: dict[str, str] | None = None
) -> Response:
    return JSONResponse(content, status, headers, "application/problem+json")


@contextmanager
def fake_server() -> Iterator[Fake]:
    """Serve on a free port for as long as the context lasts."""
    fake = Fake()
    routes = [
        Route("/v1/talk", fake.talk, methods=["POST"]),
        Route("/v1/frames", fake.chunk, methods=["POST"]),
        Route("/readyz", fake.ready),
        Route("/v1/models", fake.models),
        Route("/metrics", fake.metrics),
    ]
    port = free_port()
    config = uvicorn.Config(Starlette(routes=routes), "127.0.0.1", port, log_level="critical")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    started = threading.Event()
    thread.start()
    while not server.started and thread.is_alive():
        started.wait(0.01)
    fake.url = f"http://127.0.0.1:{port}"
    try:
        yield fake
    finally:
        server.should_exit = True
        thread.join(timeout=10)
