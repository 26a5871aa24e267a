"""The requests of a load run as a client makes them, and what becomes of each."""

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Literal, Protocol

import httpx

from app.bench.fragments import FragmentReader
from app.client.frames import AFTER, BEFORE, RATE_HZ
from app.client.talk import problem_of
from app.errors import UnsupportedMedia

FPS = 25
SLACK_S = 0.5
"""Frame i is late if it arrives later than the first fragment + this + i / fps."""

BEFORE_S, AFTER_S = BEFORE / RATE_HZ, AFTER / RATE_HZ
"""Speech that the mouths of a chunk's frames see from before their own time and from after it."""

SHAPING = ("size", "face_index")
"""Options that belong to the photo: they are not sent with its id."""

ANY_TYPE = "application/octet-stream"
SAMPLES = {"audio": f"audio/l16;rate={RATE_HZ}"}
"""The type of bare samples, as microphones give them and our own client sends them."""

PORTRAIT_ID = "x-digital-human-portrait"
TICKET, NEW_TICKET = "x-digital-human-ticket", "new"
UNKNOWN_PORTRAIT = "unknown_portrait"

Status = Literal["ok", "refused", "failed", "overdue", "cut"]


@dataclass(slots=True)
class Outcome:
    """One request; all times in seconds of the event loop's clock.

    Attributes:
        due_s: when it was to be sent: latency counts from here, not from when it was sent.
        sent_s: when it was.
        ended_s: when the last byte came, or what ended it.
        status: `refused` is 429; `overdue` got no whole answer in time; `cut` was under way when
            the level ended, which is nobody's fault.
        problem: code of what went wrong, empty if nothing did.
        detail: what the server says of it.
        retry_after_s: what a refusal asked for.
        ticket: keeps a place for who comes back then, where the refusal brought one.
        frames_s: when each frame had arrived.
        resent: whether the server had forgotten the portrait, and was sent it again.
    """

    due_s: float
    sent_s: float
    ended_s: float = 0.0
    status: Status = "ok"
    problem: str = ""
    detail: str = ""
    retry_after_s: float | None = None
    ticket: str = ""
    frames_s: list[float] = field(default_factory=list)
    resent: bool = False

    @property
    def latency_s(self) -> float:
        """Seconds from when it was due to its end."""
        return self.ended_s - self.due_s

    @property
    def first_s(self) -> float | None:
        """Seconds from when it was due to the first frames."""
        return self.frames_s[0] - self.due_s if self.frames_s else None

    @property
    def late_frames(self) -> int:
        """Frames that a viewer who plays from the first fragment + slack on would have missed."""
        return sum(behind_s > SLACK_S for behind_s in self._behind_s())

    @property
    def behind_s(self) -> float:
        """How long playing must wait after the first fragment, so that no frame is missed."""
        return max(self._behind_s(), default=0.0)

    def _behind_s(self) -> list[float]:
        return [at_s - self.frames_s[0] - i / FPS for i, at_s in enumerate(self.frames_s)]


@dataclass(frozen=True, slots=True)
class Body:
    """A form that is put together once: a client busy with that would send the next ones late.

    Attributes:
        content: its bytes.
        headers: what says how to read them.
    """

    content: bytes
    headers: dict[str, str]

    @classmethod
    def of(
        cls,
        files: Mapping[str, bytes],
        fields: Mapping[str, str],
        types: Mapping[str, str] | None = None,
    ) -> "Body":
        """Return the form of files, by the names of their parts, their types, and text fields."""
        known = types or {}
        parts = {name: (name, data, known.get(name, ANY_TYPE)) for name, data in files.items()}
        request = httpx.Request("POST", "http://localhost", files=parts, data=dict(fields))
        content = request.read()
        return cls(content, {"content-type": request.headers["content-type"]})


class Ask(Protocol):
    """Makes one request."""

    async def __call__(self, due_s: float, until_s: float) -> Outcome:
        """Return what became of a request; raises nothing but cancellation.

        Args:
            due_s: when it is due, by the event loop's clock.
            until_s: when it is given up, by the same clock.
        """
        ...


class AskAgain(Protocol):
    """Makes one request, which may be one that was refused before."""

    async def __call__(self, due_s: float, until_s: float, ticket: str = "") -> Outcome:
        """Return what became of a request, as `Ask` does.

        Args:
            due_s: as `Ask` has it.
            until_s: likewise.
            ticket: of the refusal; `NEW_TICKET` asks for one, and none is sent where it is empty.
        """
        ...


class Clip:
    """`POST /v1/talk`, its frames counted while they arrive.

    Args:
        client: with the server's address and key.
        body: portrait, audio and options.
    """

    def __init__(self, client: httpx.AsyncClient, body: Body) -> None:
        self._client, self._body = client, body

    async def __call__(self, due_s: float, until_s: float, ticket: str = "") -> Outcome:
        """See `Ask` and `AskAgain`."""
        outcome = _begin(due_s)
        return await _judged(self._read(outcome, ticket), outcome, until_s)

    async def _read(self, outcome: Outcome, ticket: str) -> None:
        loop, reader, body = asyncio.get_running_loop(), FragmentReader(), self._body
        headers = {**body.headers, TICKET: ticket} if ticket else body.headers
        async with self._client.stream(
            "POST", "/v1/talk", content=body.content, headers=headers
        ) as answer:
            if answer.status_code != 200:
                await answer.aread()
                _refuse(answer, outcome)
                return
            async for data in answer.aiter_raw():
                outcome.frames_s += [loop.time()] * reader.feed(data)
        if len(outcome.frames_s) != int(answer.headers["x-digital-human-frames"]):
            outcome.status, outcome.problem = "failed", "frames_missing"


class Chunk:
    """`POST /v1/frames`: the photo once, then its id; sent again where the server forgot it.

    Args:
        client: with the server's address and key.
        portrait: of the sitter.
        samples: speech of the chunk, 16-bit mono at 16 kHz, little-endian: `BEFORE_S`, then its
            frames, then `AFTER_S`.
        fields: options.
        frames: of the chunk.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        portrait: bytes,
        samples: bytes,
        fields: Mapping[str, str],
        frames: int,
    ) -> None:
        self._client, self._frames = client, frames
        chunk = {"frames": f"{frames}", "before_ms": f"{1000 * BEFORE_S:g}", "start": f"{FPS}"}
        self._audio, self._fields = {"audio": samples}, {**fields, **chunk}
        self._whole = Body.of({"portrait": portrait, "audio": samples}, self._fields, SAMPLES)
        self._short: Body | None = None

    async def __call__(self, due_s: float, until_s: float) -> Outcome:
        """See `Ask`."""
        outcome = _begin(due_s)
        return await _judged(self._read(outcome), outcome, until_s)

    async def _read(self, outcome: Outcome) -> None:
        body = self._short or self._whole
        answer = await self._post(body)
        if body is not self._whole and _is_forgotten(answer):
            outcome.resent = True
            answer = await self._post(self._whole)
        if answer.status_code != 200:
            _refuse(answer, outcome)
            return
        if self._short is None and PORTRAIT_ID in answer.headers:
            kept = {name: text for name, text in self._fields.items() if name not in SHAPING}
            fields = {**kept, "portrait_id": answer.headers[PORTRAIT_ID]}
            self._short = Body.of(self._audio, fields, SAMPLES)
        pictures = _pictures(answer)
        outcome.frames_s += [asyncio.get_running_loop().time()] * pictures
        if pictures != self._frames:
            outcome.status, outcome.problem = "failed", "frames_missing"

    async def _post(self, body: Body) -> httpx.Response:
        return await self._client.post("/v1/frames", content=body.content, headers=body.headers)


def _begin(due_s: float) -> Outcome:
    return Outcome(due_s, sent_s=asyncio.get_running_loop().time())


async def _judged(reading: Awaitable[None], outcome: Outcome, until_s: float) -> Outcome:
    """Return the outcome once its reading has ended, however it did."""
    try:
        async with asyncio.timeout_at(until_s):
            await reading
    except TimeoutError:
        outcome.status, outcome.problem = "overdue", "no_answer_in_time"
    except (httpx.HTTPError, httpx.StreamError) as error:
        outcome.status, outcome.problem = "failed", type(error).__name__
    except (UnsupportedMedia, KeyError, ValueError):
        outcome.status, outcome.problem = "failed", "unreadable_answer"
    outcome.ended_s = asyncio.get_running_loop().time()
    return outcome


def _refuse(answer: httpx.Response, outcome: Outcome) -> None:
    """Note why there is no video; only 429 is a refusal, the rest are failures."""
    outcome.status = "refused" if answer.status_code == 429 else "failed"
    problem = problem_of(answer)
    code = str(problem["code"])
    outcome.problem = f"{answer.status_code}" if code == "unknown" else code
    outcome.ticket = answer.headers.get(TICKET, "")
    outcome.detail = f"{problem.get('detail', '')} {problem.get('hint', '')}".strip()
    try:
        outcome.retry_after_s = float(answer.headers["retry-after"])
    except (KeyError, ValueError):  # absent, or a date
        outcome.retry_after_s = None


def _is_forgotten(answer: httpx.Response) -> bool:
    return answer.status_code == 404 and problem_of(answer)["code"] == UNKNOWN_PORTRAIT


def _pictures(answer: httpx.Response) -> int:
    """Return how many JPEGs a `multipart/mixed` answer holds."""
    kind = Message()
    kind["content-type"] = answer.headers["content-type"]
    boundary = kind.get_param("boundary")
    if kind.get_content_type() != "multipart/mixed" or not isinstance(boundary, str):
        raise ValueError("no multipart/mixed")
    parts = answer.content.split(b"--" + boundary.encode())[1:]
    return sum(b"\xff\xd8\xff" in part[:512] for part in parts)
