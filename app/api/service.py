"""What the HTTP door asks of the application behind it."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from app.jobs import ClipJob, FramesJob, MotionsJob
from app.values import ModelCard


@dataclass(frozen=True, slots=True)
class Clip:
    """A video whose first bytes are already made.

    Attributes:
        first: the first bytes of a fragmented MP4.
        rest: the other bytes; closing the generator stops all work for the video.
        frames: how many frames the whole video has.
        faces: how many faces the portrait shows, or the video where one is first seen.
        models: who makes it, one card per role that has a part in it.
        server_timing: value of the `Server-Timing` header.
        notes: what the client should know about its input, by short stable names.
    """

    first: bytes
    rest: AsyncGenerator[bytes, None]
    frames: int
    faces: int
    models: list[ModelCard]
    server_timing: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recorded:
    """A motion sequence.

    Attributes:
        data: the .npz.
        frames: its length.
        frames_without_face: in how many of them the face was not seen.
        models: who makes it, one card per role.
        server_timing: value of the `Server-Timing` header.
    """

    data: bytes
    frames: int
    frames_without_face: int
    models: list[ModelCard]
    server_timing: str = ""


@dataclass(frozen=True, slots=True)
class Pictures:
    """The frames of a chunk.

    Attributes:
        jpegs: the frames in order, each a JPEG file.
        portrait_id: under which the portrait is kept for chunks to come.
        faces: how many the portrait shows.
        gain_db: what brought the speech to one level.
        models: who makes them, one card per role.
        server_timing: value of the `Server-Timing` header.
        notes: what the client should know about its input, by short stable names.
    """

    jpegs: list[bytes]
    portrait_id: str
    faces: int
    gain_db: float
    models: list[ModelCard]
    server_timing: str = ""
    notes: tuple[str, ...] = ()


class Service(Protocol):
    """The application, as the HTTP door sees it. Every method may raise any `AppError`."""

    async def render(self, job: ClipJob) -> Clip:
        """Return the video of a job once its first fragment exists."""
        ...

    async def record(self, job: MotionsJob) -> Recorded:
        """Return the motion sequence of a driving video."""
        ...

    async def frames(self, job: FramesJob) -> Pictures:
        """Return the frames of a chunk of speech, once all of them exist."""
        ...

    async def models(self) -> list[ModelCard]:
        """Return a card per role.

        Raises:
            NotReady: a model cannot serve; the hint says what to do.
        """
        ...

    async def metrics(self) -> bytes:
        """Return this application's metrics in the Prometheus text format."""
        ...

    def observe(self, route: str, outcome: str, seconds: float) -> None:
        """Count one finished request; `outcome` is "ok", "abandoned" or an error's code."""
        ...
