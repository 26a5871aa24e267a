"""Downloads a pinned file of the model hub, going on where an earlier try stopped."""

import fcntl
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final
from urllib.parse import quote

import httpx

from app.errors import WeightsError
from app.weights.digest import sha256_of
from app.weights.weight_file import HubFile, WeightFile

HUB_URL: Final = "https://huggingface.co"
"""The one place that names the hub; `fetch --hub` takes a mirror of it instead."""

TIMEOUT_S: Final = 30.0
PAUSES_S: Final = (1.0, 2.0, 4.0, 8.0)
"""Waits before each further try of a cut transfer; one that brought bytes starts them anew."""

_MEANS_LATER: Final = frozenset({408, 429, 500, 502, 503, 504})

# Told how many bytes of the file have come.
Progress = Callable[[int], None]


class _Cut(Exception):
    """The transfer ended early, for a reason that may pass; the message says which."""


@dataclass(frozen=True, slots=True)
class Hub:
    """A model hub that serves `/owner/name/resolve/revision/path`.

    Attributes:
        url: its root.
        pauses_s: see PAUSES_S.
    """

    url: str = HUB_URL
    pauses_s: Sequence[float] = PAUSES_S

    def download(self, file: WeightFile, origin: HubFile, part: Path, progress: Progress) -> None:
        """Bring a file to `part`, whole and of the pinned size and digest.

        What a failed try brought stays in `part`, and the next call goes on from there. Content of
        another size or digest is removed.

        Args:
            file: which; its size and digest are known.
            origin: where on the hub.
            part: what is there of it, if anything; only this function writes it.
            progress: told of every step.

        Raises:
            WeightsError: the hub cannot be reached, refuses, or offers something else; or another
                process is at it.
            OSError: `part` cannot be written.
        """
        address = f"{self.url}/{origin.repository}/resolve/{quote(origin.revision, safe='')}"
        transfer = _Transfer(f"{address}/{quote(origin.path)}", file, progress)
        part.parent.mkdir(parents=True, exist_ok=True)
        with part.open("ab") as stream, _alone(stream, file):
            self._fill(transfer, stream)
            if sha256_of(part) != file.sha256:
                stream.truncate(0)
                raise WeightsError(
                    f"What the hub sent as {file.name} has another digest than the pinned one.",
                    "Nothing was stored. Its source has changed, or the network alters files.",
                )

    def _fill(self, transfer: "_Transfer", stream: IO[bytes]) -> None:
        """Try until the stream holds the whole file or the pauses are used up."""
        pauses, most = iter(self.pauses_s), stream.tell()
        timeout = httpx.Timeout(TIMEOUT_S)
        with httpx.Client(follow_redirects=True, timeout=timeout) as client:
            while stream.tell() < transfer.file.size_bytes:
                try:
                    transfer.run(client, stream)
                except (httpx.TransportError, _Cut) as error:
                    if stream.tell() > most:
                        pauses, most = iter(self.pauses_s), stream.tell()
                    pause = next(pauses, None)
                    if pause is None:
                        raise _gave_up(transfer.file, stream.tell(), error) from error
                    time.sleep(pause)


@dataclass(frozen=True, slots=True)
class _Transfer:
    """Requests for one file."""

    url: str
    file: WeightFile
    progress: Progress

    def run(self, client: httpx.Client, stream: IO[bytes]) -> None:
        """Make one request, and append to the stream what it brings."""
        have = stream.tell()
        # Compressed on the way, a range would not be one of the file.
        headers = {"accept-encoding": "identity"}
        if have:
            headers["range"] = f"bytes={have}-"
        with client.stream("GET", self.url, headers=headers) as response:
            self._check(response, have)
            if response.status_code == 200 and have:
                stream.truncate(0)
                stream.seek(0)
            self.progress(stream.tell())
            # In pieces as they come: what waits for a piece to fill is lost in a cut.
            for piece in response.iter_raw():
                if stream.tell() + len(piece) > self.file.size_bytes:
                    stream.truncate(0)
                    raise self._wrong_size("more bytes")
                stream.write(piece)
                self.progress(stream.tell())
        stream.flush()
        if stream.tell() < self.file.size_bytes:
            raise _Cut("the transfer was cut")

    def _check(self, response: httpx.Response, have: int) -> None:
        """Raise unless the answer is the rest of the file, or the file."""
        status = response.status_code
        if status in _MEANS_LATER:
            raise _Cut(f"the hub answered {status}")
        if status == 206:
            served = re.fullmatch(
                r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("content-range", "")
            )
            if not served or int(served[1]) != have:
                raise _Cut("the hub sent another range than the one that was asked for")
            total = served[2]
        elif status == 200:
            total = response.headers.get("content-length", "*")
        else:
            raise WeightsError(
                f"The hub answered {status} to the request for {self.file.name}.",
                f"It was asked for {self.url}; does it still hold the file?",
            )
        if total not in ("*", str(self.file.size_bytes)):
            raise self._wrong_size(f"{total} bytes")

    def _wrong_size(self, offered: str) -> WeightsError:
        return WeightsError(
            f"The hub offers {self.file.name} with {offered}, not {self.file.size_bytes}.",
            "Nothing was stored. Its source has changed, or the network alters files.",
        )


def _gave_up(file: WeightFile, have: int, error: Exception) -> WeightsError:
    reason = str(error) or type(error).__name__
    return WeightsError(
        f"{file.name} stopped at {have} of {file.size_bytes} bytes: {reason}.",
        "Check the network, then run the command again: it goes on from there.",
    )


@contextmanager
def _alone(stream: IO[bytes], file: WeightFile) -> Iterator[None]:
    """Hold the lock of a partial file, so that two fetches do not write one."""
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise WeightsError(
            f"Another process is fetching {file.name}.", "Wait for it, then run this again."
        ) from error
    try:
        yield
    finally:
        fcntl.flock(stream, fcntl.LOCK_UN)
