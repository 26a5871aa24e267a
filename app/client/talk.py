"""`POST /v1/talk` and its like as a client makes them."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx

Progress = Callable[[int], None]
"""Told the bytes received so far."""


@dataclass(frozen=True, slots=True)
class Talk:
    """A finished answer.

    Attributes:
        video: the MP4, or of `/v1/motions` the .npz.
        headers: of the answer.
        first_fragment_bytes: how much of the video had arrived when it did.
        first_fragment_s: wall-clock seconds from sending the request until the first complete
            `moof` and `mdat` had arrived.
        total_s: until the last byte.
    """

    video: bytes
    headers: httpx.Headers
    first_fragment_bytes: int
    first_fragment_s: float
    total_s: float


class Refused(Exception):
    """The server answered with a problem.

    Args:
        status: HTTP status.
        problem: the problem document.
    """

    def __init__(self, status: int, problem: dict[str, object]) -> None:
        super().__init__(status, problem)
        self.status = status
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.status} {self.problem.get('detail')} {self.problem.get('hint')}"


def talk(
    url: str,
    portrait: bytes,
    audio: bytes,
    options: dict[str, str] | None = None,
    key: str = "",
    progress: Progress = lambda _: None,
) -> Talk:
    """Return the talking head that the server at `url` makes.

    Args:
        url: of the server, such as http://127.0.0.1:8000.
        portrait: bytes of an image file.
        audio: bytes of an audio file.
        options: text fields such as `fps` and `size`.
        key: API key; empty where none is wanted.
        progress: called while bytes arrive.

    Raises:
        Refused: the server said no.
        httpx.HTTPError: the connection failed, or ended in the middle.
    """
    files = {"portrait": portrait, "audio": audio}
    return post(url, "/v1/talk", files, options, key, progress)


def post(
    url: str,
    route: str,
    files: Mapping[str, bytes],
    options: dict[str, str] | None = None,
    key: str = "",
    progress: Progress = lambda _: None,
) -> Talk:
    """Return what a route of the server at `url` makes of files; errors as `talk`.

    Args:
        url: of the server.
        route: such as /v1/animate.
        files: by the names of their parts.
        options: text fields.
        key: API key; empty where none is wanted.
        progress: called while bytes arrive.
    """
    parts = {name: (name, data) for name, data in files.items()}
    headers = {"authorization": f"Bearer {key}"} if key else {}
    started_s = time.perf_counter()
    first_bytes, first_s = 0, 0.0
    video = bytearray()
    # No limit between bytes but a generous one: a loaded server makes its clients wait.
    with (
        httpx.Client(base_url=url, timeout=httpx.Timeout(120), trust_env=False) as client,
        client.stream("POST", route, files=parts, data=options or {}, headers=headers) as answer,
    ):
        if answer.status_code != 200:
            answer.read()
            raise Refused(answer.status_code, problem_of(answer))
        for chunk in answer.iter_raw():
            video += chunk
            if not first_bytes and has_fragment(bytes(video)):
                first_bytes, first_s = len(video), time.perf_counter() - started_s
            progress(len(video))
    total_s = time.perf_counter() - started_s
    return Talk(bytes(video), answer.headers, first_bytes, first_s, total_s)


def problem_of(answer: httpx.Response) -> dict[str, object]:
    """Return the problem document of an answer that was read.

    A proxy between may answer with text of its own, which then is the detail.
    """
    if answer.headers.get("content-type") == "application/problem+json":
        problem: dict[str, object] = answer.json()
        return problem
    return {"code": "unknown", "detail": answer.text[:200], "hint": ""}


def has_fragment(data: bytes) -> bool:
    """Return whether `data`, the head of an MP4, holds a `moof` and all of its `mdat`."""
    seen_moof = False
    at = 0
    while at + 8 <= len(data):
        size, kind = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        at += size
        if size < 8 or at > len(data):
            return False
        if seen_moof and kind == b"mdat":
            return True
        seen_moof = seen_moof or kind == b"moof"
    return False
