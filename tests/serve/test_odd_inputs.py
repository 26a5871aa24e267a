"""Bad and odd inputs: what each is answered, and that nothing of it stays behind.

One row per input. A refusal is problem JSON with a code and a hint that holds a given word.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from app.client.server import LocalServer
from app.demo.run import demo_speech
from app.media.probe import probe_video
from tests.serve.conftest import png, spoken, wav
from tests.serve.odd_media import (
    NOISE,
    animation,
    astronaut,
    encoded,
    faces,
    floats,
    long_recording,
    many_channels,
    photo,
    png_of,
    profile,
    rotated,
    scene,
    tone,
)

Image = NDArray[np.uint8]
Request = dict[str, object]

GOOD_S = 0.4
GOOD_FRAMES = 10
LIMIT_BYTES = 25 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Row:
    """One input.

    Attributes:
        id: names it.
        request: makes the arguments of `httpx.AsyncClient.request`.
        answer: its status, and the problem's code ("" for a video).
        hint: a word of the problem's hint; for a video, `header: value` of the answer.
        meets_models: whether it comes so far that the next request is tried at once.
    """

    id: str
    request: Callable[[], Request]
    answer: tuple[int, str]
    hint: str
    meets_models: bool = False


def talk(
    portrait: bytes | None = None,
    audio: bytes | None = None,
    names: tuple[str, str] = ("portrait", "audio"),
    **fields: str,
) -> Request:
    """Return a good request, but for what is given."""
    files = {
        "portrait": (names[0], photo() if portrait is None else portrait),
        "audio": (names[1], spoken(GOOD_S) if audio is None else audio),
    }
    return {"method": "POST", "url": "/v1/talk", "files": files, "data": {"size": "256"} | fields}


def without(part: str) -> Request:
    request = talk()
    files = request["files"]
    assert isinstance(files, dict)
    del files[part]
    return request


def raw(body: bytes, content_type: str) -> Request:
    headers = {"content-type": content_type}
    return {"method": "POST", "url": "/v1/talk", "content": body, "headers": headers}


def multipart(body: str) -> Request:
    return raw(body.replace("\n", "\r\n").encode(), "multipart/form-data; boundary=b")


VIDEO = (200, "")
BAD = (400, "bad_request")
NO_KEY = (401, "unauthorized")
NO_PATH = (404, "not_found")
NO_METHOD = (405, "method_not_allowed")
TOO_LARGE = (413, "too_large")
TOO_LONG = (413, "audio_too_long")
UNREADABLE = (415, "unsupported_media")
TOO_SHORT = (422, "audio_too_short")
SILENT = (422, "audio_silent")
NO_FACE = (422, "no_face")
TOO_SMALL = (422, "face_too_small")
TURNED_AWAY = (422, "face_turned_away")

FACES = "x-digital-human-faces: 4"
FRAMES = f"x-digital-human-frames: {GOOD_FRAMES}"

PORTRAITS = (
    Row("portrait empty", lambda: talk(portrait=b""), BAD, "content"),
    Row("portrait missing", lambda: without("portrait"), BAD, "portrait=@FILE"),
    Row("png cut", lambda: talk(photo()[:90_000]), UNREADABLE, "again"),
    Row("jpg cut", lambda: talk(encoded(astronaut())[:9000]), UNREADABLE, "again"),
    Row("png of 8 bytes", lambda: talk(photo()[:8]), UNREADABLE, "photo"),
    Row("text as png", lambda: talk(b"Dear reader, ..."), UNREADABLE, "photo"),
    Row("wav as jpg", lambda: talk(spoken(1)), UNREADABLE, "photo"),
    Row("0 x 0", lambda: talk(png_of(0, 0)), UNREADABLE, "photo"),
    Row("20000 x 20000 in 70 bytes", lambda: talk(png_of(20_000, 20_000)), TOO_LARGE, "copy"),
    Row("1 x 1", lambda: talk(png(NOISE[:1, :1])), NO_FACE, "frontal", True),
    Row(
        "1 x 3000",
        lambda: talk(encoded(np.zeros((1, 3000, 3), np.uint8), ".png")),
        NO_FACE,
        "frontal",
        True,
    ),
    Row("no face", lambda: talk(png(NOISE)), NO_FACE, "whole face", True),
    Row("40 px face in 12 megapixels", lambda: talk(scene(40)), TOO_SMALL, "nearer", True),
    Row(
        "110 px face made tiny by the size",
        lambda: talk(scene(110)),
        TOO_SMALL,
        "cut the picture",
        True,
    ),
    Row("profile", lambda: talk(profile()), TURNED_AWAY, "towards the camera", True),
    Row("four faces, the first", lambda: talk(faces(), face_index="0"), VIDEO, FACES, True),
    Row("four faces, the second", lambda: talk(faces(), face_index="1"), VIDEO, FACES),
    Row("four faces, the third", lambda: talk(faces(), face_index="2"), VIDEO, FACES),
    Row("four faces, the fourth", lambda: talk(faces(), face_index="3"), VIDEO, FACES),
    Row("four faces, the fifth", lambda: talk(faces(), face_index="4"), NO_FACE, "0 to 3", True),
    Row("turned by 90 degrees", lambda: talk(rotated(1)), VIDEO, FRAMES, True),
    Row("turned by 180 degrees", lambda: talk(rotated(2)), VIDEO, FRAMES, True),
    Row("grey", lambda: talk(encoded(astronaut()[:, :, 1:2], ".png")), VIDEO, FRAMES),
)

AUDIO = (
    Row("audio empty", lambda: talk(audio=b""), BAD, "content"),
    Row("audio missing", lambda: without("audio"), BAD, "audio=@FILE"),
    Row("wav cut in its head", lambda: talk(audio=spoken(1)[:20]), UNREADABLE, "WAV"),
    Row("wav cut", lambda: talk(audio=spoken(1)[:9000]), UNREADABLE, "whole"),
    Row("flac cut", lambda: talk(audio=demo_speech()[:90_000]), UNREADABLE, "whole"),
    Row("text as wav", lambda: talk(audio=b"RIFF and more text"), UNREADABLE, "WAV"),
    Row("png as wav", lambda: talk(audio=photo()), UNREADABLE, "WAV"),
    Row("jpg as wav", lambda: talk(audio=encoded(astronaut())), UNREADABLE, "WAV"),
    Row(
        "not numbers",
        lambda: talk(audio=floats(np.full(16_000, np.nan, np.float32))),
        UNREADABLE,
        "WAV",
    ),
    Row(
        "infinite",
        lambda: talk(audio=floats(np.full(16_000, np.inf, np.float32))),
        UNREADABLE,
        "WAV",
    ),
    Row("nine channels", lambda: talk(audio=many_channels()), UNREADABLE, "stereo", True),
    Row("no samples", lambda: talk(audio=tone(0, 220)), TOO_SHORT, "speech"),
    Row("5 ms", lambda: talk(audio=tone(0.005, 220)), TOO_SHORT, "speech"),
    Row("20 ms", lambda: talk(audio=tone(0.02, 220)), VIDEO, "x-digital-human-frames: 1", True),
    Row("silence", lambda: talk(audio=wav(np.zeros(16_000, np.int16))), SILENT, "microphone"),
    Row("tone", lambda: talk(audio=tone(GOOD_S, 440)), VIDEO, FRAMES, True),
    Row("chord", lambda: talk(audio=tone(GOOD_S, 261.6, 329.6, 392, 1046)), VIDEO, FRAMES, True),
    Row("601 s", lambda: talk(audio=long_recording()), TOO_LONG, "shorter"),
)

FIELDS = (
    Row(
        "portrait as text",
        lambda: without("portrait") | {"data": {"portrait": "me.png"}},
        BAD,
        "@FILE",
    ),
    Row(
        "size as a file",
        lambda: without("audio") | {"files": {"portrait": photo(), "size": b"256"}, "data": {}},
        BAD,
        "256 to 1024",
    ),
    Row("no parts", lambda: multipart("--b--\n"), BAD, "portrait=@FILE"),
    Row("unknown field", lambda: talk(colour="red"), BAD, "face_index"),
    Row("field twice", lambda: talk() | {"data": {"size": ["256", "512"]}}, BAD, "once"),
    Row("portrait twice", lambda: talk() | {"files": [("portrait", photo())] * 2}, BAD, "once"),
    Row("four files", lambda: talk() | {"files": [("portrait", photo())] * 4}, BAD, "README"),
    Row(
        "17 fields",
        lambda: talk() | {"data": {f"field{index}": "1" for index in range(17)}},
        BAD,
        "README",
    ),
    Row("a field of 2 MB", lambda: talk(motion="x" * 2_000_000), BAD, "README"),
    Row("fps 0", lambda: talk(fps="0"), BAD, "29.97"),
    Row("fps 61", lambda: talk(fps="61"), BAD, "60"),
    Row("fps nan", lambda: talk(fps="nan"), BAD, "29.97"),
    Row("fps 1/0", lambda: talk(fps="1/0"), BAD, "29.97"),
    Row("size 255", lambda: talk(size="255"), BAD, "256 to 1024"),
    Row("size 1025", lambda: talk(size="1025"), BAD, "1024"),
    Row("size empty", lambda: talk(size=""), BAD, "1024"),
    Row("motion dance", lambda: talk(motion="dance"), BAD, "idle"),
    Row("face_index -1", lambda: talk(face_index="-1"), BAD, "largest"),
    Row("face_index one", lambda: talk(face_index="one"), BAD, "largest"),
    Row("seed 2^32", lambda: talk(seed=str(2**32)), BAD, "4294967295"),
    Row(
        "names like paths",
        lambda: talk(names=("../../etc/passwd", "/dev/stdin")),
        VIDEO,
        FRAMES,
        True,
    ),
    Row(
        "names in any script",
        lambda: talk(names=("p\u00f6rtr\u00e4t \u732b \U0001f600.png", "\u202egpj.wav")),
        VIDEO,
        FRAMES,
        True,
    ),
    Row("name of 9000 letters", lambda: talk(names=("a" * 9000, "b")), BAD, "README"),
)

HTTP = (
    Row("26 MB", lambda: talk(audio=b"\0" * (LIMIT_BYTES + 1)), TOO_LARGE, "smaller"),
    Row(
        "26 MB of unknown length",
        lambda: raw(b"", "multipart/form-data; boundary=b") | {"content": endless()},
        TOO_LARGE,
        "smaller",
    ),
    Row("get", lambda: {"method": "GET", "url": "/v1/talk"}, NO_METHOD, "README"),
    Row("put", lambda: {"method": "PUT", "url": "/v1/talk", "content": b"x"}, NO_METHOD, "README"),
    Row("post to a probe", lambda: {"method": "POST", "url": "/healthz"}, NO_METHOD, "README"),
    Row(
        "another path",
        lambda: {"method": "POST", "url": "/v1/talk/../../etc/passwd"},
        NO_PATH,
        "README",
    ),
    Row("json", lambda: raw(b'{"portrait": "x"}', "application/json"), BAD, "curl"),
    Row(
        "url-encoded", lambda: raw(b"portrait=x", "application/x-www-form-urlencoded"), BAD, "curl"
    ),
    Row("no boundary", lambda: raw(b"x", "multipart/form-data"), BAD, "README"),
    Row(
        "another boundary",
        lambda: raw(b"--a\r\n\r\nx\r\n--a--\r\n", "multipart/form-data; boundary=b"),
        BAD,
        "README",
    ),
    Row("no body", lambda: multipart(""), BAD, "portrait=@FILE"),
    Row(
        "part without a name",
        lambda: multipart("--b\nContent-Disposition: form-data\n\nx\n--b--\n"),
        BAD,
        "README",
    ),
    Row(
        "part without an end",
        lambda: multipart('--b\nContent-Disposition: form-data; name="fps"\n\n25'),
        BAD,
        "portrait=@FILE",
    ),
    Row("broken head of a part", lambda: multipart("--b\n\0\0: :\n\nx\n--b--\n"), BAD, "README"),
)

# The session's server has no keys: what reached it through a proxy is not of this machine.
KEYS = (
    Row(
        "from beyond a proxy",
        lambda: talk() | {"headers": {"x-forwarded-for": "203.0.113.7"}},
        NO_KEY,
        "keys",
    ),
)

ANIMATIONS = (
    Row("animated gif", lambda: talk(animation("GIF")), VIDEO, FRAMES, True),
    Row("animated webp", lambda: talk(animation("WEBP")), VIDEO, FRAMES, True),
)

ROWS = (*PORTRAITS, *AUDIO, *FIELDS, *HTTP, *KEYS, *ANIMATIONS)


async def endless() -> AsyncIterator[bytes]:
    """Yield more than the limit, chunk by chunk."""
    yield b'--b\r\nContent-Disposition: form-data; name="audio"; filename="a"\r\n\r\n'
    for _ in range(LIMIT_BYTES // 1_000_000 + 1):
        yield b"\0" * 1_000_000


@dataclass(frozen=True, slots=True)
class Holdings:
    """What the server's own processes, the replicas and the proxy, hold."""

    files: frozenset[str]
    threads: int
    descriptors: int
    processes: int


def holdings(server: LocalServer) -> Holdings:
    """Return what is held now; Ray's logs and sockets aside."""
    folder = Path(server.environment["TMPDIR"])
    files = {str(file) for file in folder.rglob("*") if "session" not in str(file)}
    threads = descriptors = processes = 0
    for process in server.processes():
        try:
            if not any(name in " ".join(process.cmdline()) for name in ("Replica", "ProxyActor")):
                continue
            threads += process.num_threads()
            descriptors += process.num_fds()
            processes += 1
        except psutil.NoSuchProcess:
            continue
    return Holdings(frozenset(files), threads, descriptors, processes)


async def assert_next_works(http: httpx.AsyncClient) -> None:
    answer = await http.request(**talk())  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    assert probe_video(answer.content).frames == GOOD_FRAMES


@pytest.fixture(scope="module")
def before(server: LocalServer) -> Holdings:
    """Return what the server holds after it has worked: threads and caches are made by use."""
    with httpx.Client(base_url=server.url, timeout=120, trust_env=False) as client:
        for _ in range(8):
            assert client.request(**talk()).status_code == 200  # type: ignore[arg-type]
    return holdings(server)


@pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
async def test_an_odd_input_gets_its_answer_and_the_next_request_works(
    http: httpx.AsyncClient, before: Holdings, row: Row
) -> None:
    answer = await http.request(**row.request())  # type: ignore[arg-type]
    status, code = row.answer
    assert answer.status_code == status, answer.text
    if status == 200:
        name, value = row.hint.split(": ")
        assert answer.headers[name] == value
        assert probe_video(answer.content).frames == int(answer.headers["x-digital-human-frames"])
    else:
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert problem["code"] == code, problem
        assert row.hint in problem["hint"], problem
        assert problem["hint"]
        assert problem["detail"]
        assert problem["request_id"] == answer.headers["x-request-id"]
    if row.meets_models:
        await assert_next_works(http)


async def test_the_odd_inputs_left_nothing_behind(
    server: LocalServer, http: httpx.AsyncClient, before: Holdings
) -> None:
    await assert_next_works(http)
    after = holdings(server)
    assert after.files == before.files
    assert after.processes == before.processes
    assert after.threads <= before.threads + 4
    assert after.descriptors <= before.descriptors + 6
