"""The requests of a soak: which are drawn, how each is made, and what is right for it."""

import io
import random
import time
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

import cv2
import httpx
import numpy as np
from numpy.typing import NDArray

from app.bench.memory import spoken
from app.client.frames import FrameStream
from app.client.talk import Refused, problem_of, talk
from app.demo.run import demo_portrait, demo_speech
from app.errors import (
    AppError,
    AudioTooLong,
    BadRequest,
    NoFace,
    OverCapacity,
    TooLarge,
    UnsupportedMedia,
)
from app.media.probe import probe_video
from app.settings import AppArgs
from app.timeline import frame_count


class Kind(StrEnum):
    """A kind of request; `LEFT_*` are abandoned by their client."""

    GOOD = "good"
    LIVE = "live"
    CHUNKS = "chunks of frames"
    LEFT_STREAMING = "left after the first bytes"
    LEFT_WAITING = "left before the first byte"
    LEFT_UPLOADING = "left in the upload"
    NO_FACE = "no face"
    NO_PICTURE = "not a picture"
    CUT_AUDIO = "audio cut short"
    UNKNOWN_FIELD = "unknown field"
    MANY_PIXELS = "too many pixels"
    MANY_BYTES = "too many bytes"
    MANY_SECONDS = "too many seconds"


CODES = {
    Kind.NO_FACE: NoFace.code,
    Kind.NO_PICTURE: UnsupportedMedia.code,
    Kind.CUT_AUDIO: UnsupportedMedia.code,
    Kind.UNKNOWN_FIELD: BadRequest.code,
    Kind.MANY_PIXELS: TooLarge.code,
    Kind.MANY_BYTES: TooLarge.code,
    Kind.MANY_SECONDS: AudioTooLong.code,
}
"""What each bad request is told."""

DECK = {
    Kind.GOOD: 9,
    Kind.LIVE: 3,
    Kind.CHUNKS: 6,
    Kind.LEFT_STREAMING: 3,
    Kind.LEFT_WAITING: 2,
    Kind.LEFT_UPLOADING: 1,
} | dict.fromkeys(CODES, 1)
"""Requests of each kind in a deck; decks are shuffled, so that every minute is alike."""

WHOLE = {Kind.GOOD, Kind.LIVE, Kind.CHUNKS}
"""Requests whose clients stay to the end."""

PORTRAITS = 3
GOOD_SECONDS = (Fraction(2, 5), Fraction(1), Fraction(2), Fraction(3))
LEFT_SECONDS = 20
"""Of speech in abandoned requests: work enough that a server which goes on would show it."""

SIZES = (256, 384, 512)
CHUNK_FRAMES = 5
JPEG, JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
RATES = (Fraction(25), Fraction(30), Fraction(30000, 1001))


@dataclass(frozen=True, slots=True)
class Order:
    """One request to make.

    Attributes:
        kind: of request.
        portrait: which one.
        seconds: of speech.
        fps: frames per second.
        size: longer side in px.
        leave_s: seconds after which an abandoning client leaves.
    """

    kind: Kind
    portrait: int
    seconds: Fraction
    fps: Fraction
    size: int
    leave_s: float

    @property
    def options(self) -> dict[str, str]:
        """The text fields."""
        return {"fps": str(self.fps), "size": str(self.size)}


def orders(seed: int) -> Iterator[Order]:
    """Yield requests without end, deck after deck."""
    rng = random.Random(seed)
    while True:
        deck = [kind for kind, count in DECK.items() for _ in range(count)]
        rng.shuffle(deck)
        for kind in deck:
            yield Order(
                kind,
                portrait=rng.randrange(PORTRAITS),
                seconds=rng.choice(GOOD_SECONDS) if kind in WHOLE else Fraction(LEFT_SECONDS),
                fps=rng.choice(RATES),
                size=rng.choice(SIZES),
                leave_s=rng.uniform(0.02, 0.5),
            )


class Client:
    """Makes the requests of a soak, and knows what is right.

    Args:
        url: of the server.
        key: API key.
    """

    def __init__(self, url: str, key: str) -> None:
        self._url, self._key = url, key
        photo = cv2.imdecode(np.frombuffer(demo_portrait(), np.uint8), cv2.IMREAD_COLOR)
        assert photo is not None
        views = (photo, photo[:, ::-1], photo[:, 60:420])
        self._portraits = [_png(np.ascontiguousarray(view)) for view in views]
        self._speech = {seconds: spoken(float(seconds)) for seconds in GOOD_SECONDS}
        self._speech[Fraction(LEFT_SECONDS)] = spoken(LEFT_SECONDS)
        noise = np.random.default_rng(0).integers(0, 255, (300, 300, 3), np.uint8)
        short, photo_file = self._speech[GOOD_SECONDS[0]], self._portraits[0]
        self._bad: dict[Kind, tuple[bytes, bytes, dict[str, str]]] = {
            Kind.NO_FACE: (_png(noise), short, {}),
            Kind.NO_PICTURE: (b"This is no picture.", short, {}),
            Kind.CUT_AUDIO: (photo_file, demo_speech()[:90_000], {}),
            Kind.UNKNOWN_FIELD: (photo_file, short, {"colour": "red"}),
            Kind.MANY_PIXELS: (_png(np.zeros((8000, 8000), np.uint8)), short, {}),
            Kind.MANY_BYTES: (photo_file, bytes(AppArgs().api.max_upload_bytes + 1), {}),
            Kind.MANY_SECONDS: (photo_file, _silent_wav(601), {}),
        }

    def make(self, order: Order) -> str:
        """Make a request and return what is wrong with its answer; empty if nothing is."""
        try:
            match order.kind:
                case Kind.GOOD:
                    return self._good(order, order.options)
                case Kind.LIVE:
                    return self._live(order)
                case Kind.CHUNKS:
                    return self._chunks(order)
                case Kind.LEFT_STREAMING:
                    return self._leave_streaming(order)
                case Kind.LEFT_WAITING:
                    return self._leave_waiting(order)
                case Kind.LEFT_UPLOADING:
                    return self._leave_uploading(order)
            return self._refused(order)
        except Refused as error:
            return f"refused: {error}"
        except (httpx.HTTPError, AppError) as error:  # AppError: the video cannot be read
            return f"{type(error).__name__}: {error}"

    def _good(self, order: Order, options: dict[str, str]) -> str:
        portrait, audio = self._media(order)
        video = probe_video(talk(self._url, portrait, audio, options, self._key).video)
        asked = frame_count(order.seconds, order.fps)
        if video.frames == asked and not video.picture.errors:
            return ""
        return f"{video.frames} frames, {video.picture.errors} of them broken, instead of {asked}"

    def _live(self, order: Order) -> str:
        """A stream that does not fit beside the others is refused, and that is right, too."""
        try:
            return self._good(order, order.options | {"pace": "live"})
        except Refused as error:
            if error.problem["code"] == OverCapacity.code:
                return ""
            raise

    def _chunks(self, order: Order) -> str:
        portrait, audio = self._media(order)
        with wave.open(io.BytesIO(audio)) as recording:
            speech = recording.readframes(recording.getnframes())
        options = {"size": str(order.size)}
        with FrameStream(
            self._url, portrait, order.fps, CHUNK_FRAMES, options, self._key
        ) as stream:
            jpegs = [*stream.push(speech), *stream.finish()]
        asked = frame_count(order.seconds, order.fps)
        whole = sum(jpeg.startswith(JPEG) and jpeg.endswith(JPEG_END) for jpeg in jpegs)
        return "" if whole == len(jpegs) == asked else f"{whole} JPEGs instead of {asked}"

    def _refused(self, order: Order) -> str:
        portrait, audio, more = self._bad[order.kind]
        try:
            talk(self._url, portrait, audio, order.options | more, self._key)
        except Refused as error:
            code = error.problem["code"]
            return "" if code == CODES[order.kind] else f"told {code}"
        return "got a video"

    def _leave_streaming(self, order: Order) -> str:
        request = self._request(order)
        with self._http(120) as client:
            answer = client.send(request, stream=True)
            if answer.status_code != 200:
                answer.read()
                return f"told {problem_of(answer)['code']}"
            chunks = answer.iter_raw(1024)  # kept: when it goes, httpx hangs up
            next(chunks)
            time.sleep(order.leave_s)
            answer.close()
            del chunks
        return ""

    def _leave_waiting(self, order: Order) -> str:
        request = self._request(order)
        with self._http(order.leave_s) as client:
            try:
                answer = client.send(request, stream=True)
            except httpx.ReadTimeout:
                return ""
            answer.close()
        return "" if answer.status_code == 200 else f"told {answer.status_code}"

    def _leave_uploading(self, order: Order) -> str:
        whole = self._request(order)
        body = whole.read()
        headers = {name: whole.headers[name] for name in ("content-type", "content-length")}

        def half() -> Iterator[bytes]:
            yield body[: len(body) // 2]
            time.sleep(order.leave_s)
            raise _LeftError

        with self._http(120) as client:
            try:
                client.post(f"{self._url}/v1/talk", content=half(), headers=headers)
            except _LeftError:
                return ""
        return "answered before all was sent"

    def _media(self, order: Order) -> tuple[bytes, bytes]:
        return self._portraits[order.portrait], self._speech[order.seconds]

    def _request(self, order: Order) -> httpx.Request:
        portrait, audio = self._media(order)
        files = {"portrait": ("portrait", portrait), "audio": ("audio", audio)}
        headers = {"authorization": f"Bearer {self._key}"}
        url = f"{self._url}/v1/talk"
        return httpx.Request("POST", url, files=files, data=order.options, headers=headers)

    def _http(self, read_s: float) -> httpx.Client:
        headers = {"authorization": f"Bearer {self._key}"}
        timeout = httpx.Timeout(120, read=read_s)
        return httpx.Client(timeout=timeout, headers=headers, trust_env=False)


class _LeftError(Exception):
    """The client leaves."""


def _png(pixels: NDArray[np.uint8]) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


def _silent_wav(seconds: int) -> bytes:
    """Return 8-bit silence at 4 kHz: long and small."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(1)
        out.setframerate(4000)
        out.writeframes(b"\x80" * 4000 * seconds)
    return file.getvalue()
