"""`POST /v1/frames` as a client makes it: speech goes in piece by piece, frames come back."""

import struct
from collections.abc import Iterator
from fractions import Fraction
from types import TracebackType

import httpx

from app.client.talk import Refused, problem_of

RATE_HZ = 16_000
BEFORE, AFTER = RATE_HZ * 252 // 1000, RATE_HZ * 200 // 1000
"""Samples of speech that frames need from before their own and from after them."""

_BYTES = 2
"""Of a sample."""


class FrameStream:
    """Turns speech that arrives bit by bit into JPEG frames, a chunk of frames per request.

    Frames are those of one long talk. They come 200 ms of speech late, which their mouths see
    ahead. The photo is sent with the first chunk, and again only if the server lost it.

    Args:
        url: of the server, such as http://127.0.0.1:8000.
        portrait: bytes of an image file.
        fps: frames per second.
        chunk_frames: frames of one request; the fewer, the sooner they come and the more they
            cost.
        options: more text fields, such as `size`, `seed`, `gain_db` and `quality`.
        key: API key; empty where none is wanted.

    Raises:
        ValueError: `fps` or `chunk_frames` is not positive.
    """

    def __init__(
        self,
        url: str,
        portrait: bytes,
        fps: Fraction = Fraction(25),
        chunk_frames: int = 5,
        options: dict[str, str] | None = None,
        key: str = "",
    ) -> None:
        if chunk_frames < 1 or fps <= 0:
            raise ValueError("a chunk has at least a frame, at a rate above 0")
        headers = {"accept": "application/octet-stream"}
        if key:
            headers["authorization"] = f"Bearer {key}"
        self._http = httpx.Client(base_url=url, headers=headers, timeout=120, trust_env=False)
        self._portrait, self._fps, self._chunk_frames = portrait, fps, chunk_frames
        self._options = options or {}
        self._portrait_id = ""
        self._start = 0
        self._held, self._held_from = b"", 0  # samples, and which is the first

    def __enter__(self) -> "FrameStream":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._http.close()

    def push(self, samples: bytes) -> Iterator[bytes]:
        """Take more speech and yield the frames, each a JPEG, for which there now is enough.

        Args:
            samples: 16-bit, mono, 16 kHz, little-endian.

        Raises:
            Refused: the server said no.
            httpx.HTTPError: the connection failed.
        """
        self._held += samples
        while self._until(self._chunk_frames) + AFTER <= self._end():
            yield from self._chunk(self._chunk_frames)

    def finish(self) -> Iterator[bytes]:
        """Yield the last frames; errors as `push`."""
        spoken = Fraction(self._end() * self._fps, RATE_HZ) + Fraction(1, 2)
        left = int(spoken) - self._start
        while left > 0:
            frames = min(left, self._chunk_frames)
            yield from self._chunk(frames)
            left -= frames

    def _until(self, frames: int) -> int:
        """Return where the samples of the next frames end."""
        return round((self._start + frames) * RATE_HZ / self._fps)

    def _end(self) -> int:
        return self._held_from + len(self._held) // _BYTES

    def _chunk(self, frames: int) -> list[bytes]:
        """Return the next frames, and forget the speech that no later one needs."""
        first = round(self._start * RATE_HZ / self._fps)
        stop = self._until(frames) + AFTER - self._held_from
        fields = self._options | {
            "fps": str(self._fps),
            "start": str(self._start),
            "frames": str(frames),
            "before_ms": str((first - self._held_from) * 1000 / RATE_HZ),
        }
        jpegs = self._sent(self._held[: stop * _BYTES], fields)
        keep = max(self._held_from, self._until(frames) - BEFORE)
        self._held = self._held[(keep - self._held_from) * _BYTES :]
        self._held_from = keep
        self._start += frames
        return jpegs

    def _sent(self, samples: bytes, fields: dict[str, str]) -> list[bytes]:
        """Return the frames of one request."""
        audio = {"audio": ("audio", samples, f"audio/l16;rate={RATE_HZ}")}
        if self._portrait_id:
            shaped = ("size", "face_index")
            kept = {name: value for name, value in fields.items() if name not in shaped}
            kept["portrait_id"] = self._portrait_id
            answer = self._http.post("/v1/frames", files=audio, data=kept)
        if not self._portrait_id or answer.status_code == 404:
            files = {"portrait": ("portrait", self._portrait, "application/octet-stream"), **audio}
            answer = self._http.post("/v1/frames", files=files, data=fields)
        if answer.status_code != 200:
            raise Refused(answer.status_code, problem_of(answer))
        self._portrait_id = answer.headers["x-digital-human-portrait"]
        return split_lengths(answer.content)


def split_lengths(data: bytes) -> list[bytes]:
    """Return the files of an answer that has each after its length, 4 bytes big-endian.

    Raises:
        ValueError: the answer is cut.
    """
    files, at = [], 0
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4].ljust(4, b"\xff"))
        if at + 4 + size > len(data):
            raise ValueError("the answer ends within a file")
        files.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return files
