"""What a running server writes into its logs: one line per request, whose it is, nothing of it."""

import asyncio
import io
import re
import secrets

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from ray import serve

from app.client.server import LocalServer
from app.observability.origin import Origin
from app.serving.stage import Stage
from app.values import LipGroup
from tests.serve.conftest import png, spoken
from tests.serve.serve_logs import Line, lines, session_folder, wait_for

MARKER = "Xq7SecretZebra"

FIELDS = {
    *("request_id", "session_id", "job", "route_path", "models", "outcome", "status", "seconds"),
    *("first_frame_s", "stages_s", "frames", "bytes_in", "bytes_out"),
}


def new_id() -> str:
    return f"test-{secrets.token_hex(6)}"


async def story_of(server: LocalServer, request_id: str) -> Line:
    """Return the one line of a request."""

    def is_it(line: Line) -> bool:
        return line.get("request_id") == request_id and "outcome" in line

    (line,) = await wait_for(server, is_it, 1)
    assert line.keys() >= FIELDS
    return line


async def test_a_good_request_is_told_with_all_its_figures(
    server: LocalServer, http: httpx.AsyncClient, portrait: bytes
) -> None:
    request_id = new_id()
    files = {"portrait": portrait, "audio": spoken(1)}
    headers = {"x-request-id": request_id}
    answer = await http.post("/v1/talk", files=files, data={"size": "256"}, headers=headers)
    line = await story_of(server, request_id)
    assert (line["job"], line["route_path"]) == ("talk", "/v1/talk")
    assert (line["outcome"], line["status"]) == ("ok", 200)
    assert line["models"] == {"face": "mediapipe", "portrait": "puppet", "lips": "viseme"}
    assert line["frames"] == 25
    assert line["bytes_out"] == len(answer.content)
    assert line["bytes_in"] == int(answer.request.headers["content-length"])
    assert {"decode", "face", "animate", "paint", "encode"} <= line["stages_s"].keys()
    assert 0 < line["first_frame_s"] <= line["seconds"]
    assert re.fullmatch("[0-9a-f]{16}", line["session_id"])
    assert line["deployment"] == "digital-human_Ingress"


async def test_equal_request_ids_are_different_sessions(
    server: LocalServer, http: httpx.AsyncClient
) -> None:
    request_id = new_id()
    for _ in range(2):
        await http.post("/v1/talk", headers={"x-request-id": request_id})
    told = await wait_for(server, lambda line: line.get("request_id") == request_id, 2)
    assert len({line["session_id"] for line in told}) == 2


async def test_a_refused_request_is_told_with_its_code(
    server: LocalServer, http: httpx.AsyncClient
) -> None:
    request_id = new_id()
    noise = np.random.default_rng(1).integers(0, 255, (200, 200, 3), np.uint8)
    files = {"portrait": png(noise), "audio": spoken(0.4)}
    await http.post("/v1/talk", files=files, headers={"x-request-id": request_id})
    line = await story_of(server, request_id)
    assert (line["outcome"], line["status"], line["frames"]) == ("no_face", 422, 0)
    assert line["first_frame_s"] is None
    assert "decode" in line["stages_s"]
    assert "animate" not in line["stages_s"]


async def test_a_client_that_leaves_is_told_with_what_was_made(
    server: LocalServer, http: httpx.AsyncClient, portrait: bytes
) -> None:
    request_id = new_id()
    files = {"portrait": portrait, "audio": spoken(60)}
    headers = {"x-request-id": request_id}
    async with http.stream("POST", "/v1/talk", files=files, headers=headers) as answer:
        await anext(answer.aiter_bytes())
    line = await story_of(server, request_id)
    assert (line["outcome"], line["status"]) == ("abandoned", 200)
    assert 0 < line["frames"] < 1500
    assert line["bytes_out"] > 0


def with_exif(pixels: NDArray[np.uint8]) -> bytes:
    """Return a JPEG whose EXIF says the marker."""
    exif = Image.Exif()
    exif[0x010E] = MARKER  # ImageDescription
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", exif=exif)
    return file.getvalue()


async def test_nothing_that_a_client_sent_is_in_any_file_of_ray(
    server: LocalServer, http: httpx.AsyncClient, astronaut: NDArray[np.uint8]
) -> None:
    portrait, last = with_exif(astronaut), new_id()
    assert MARKER.encode() in portrait
    speech = spoken(0.4)
    named = {"portrait": (f"{MARKER}.jpg", portrait), "audio": (f"{MARKER}.wav", speech)}
    cut = {**named, "portrait": (f"{MARKER}.jpg", portrait[:9000])}
    said = {
        "user-agent": MARKER,
        "x-api-key": MARKER,
        "authorization": f"Bearer {MARKER}",
        "cookie": MARKER,
        "referer": f"http://127.0.0.1/{MARKER}",
    }
    requests = [
        {"url": f"/v1/talk?{MARKER}={MARKER}", "files": named, "headers": said},
        {"url": "/v1/talk", "files": cut},
        {"url": "/v1/talk", "files": {**named, MARKER: b"x"}},
        {"url": "/v1/talk", "files": named, "data": {"fps": MARKER}},
        {"url": "/v1/talk", "content": MARKER, "headers": {"content-type": MARKER}},
        {"url": f"/v1/{MARKER}", "content": MARKER},
        {"url": "/v1/talk", "headers": {"x-request-timeout-seconds": MARKER}},
        {"url": "/v1/talk", "headers": {"traceparent": MARKER, "x-request-id": last}},
    ]
    statuses = [(await http.post(**request)).status_code for request in requests]  # type: ignore[arg-type]
    assert statuses == [200, 415, 400, 400, 400, 404, 400, 400]
    await http.request(MARKER, "/v1/talk")
    async with http.stream("POST", "/v1/talk", files={**named, "audio": spoken(20)}) as answer:
        assert answer.status_code == 200  # and leave
    await story_of(server, last)
    await asyncio.sleep(1)
    files = [file for file in session_folder(server).rglob("*") if file.is_file()]
    assert files
    assert [file.name for file in files if MARKER.encode() in file.read_bytes()] == []


async def test_a_models_replica_says_for_whom_it_failed(server: LocalServer, stage: Stage) -> None:
    crops = np.zeros((2, 5, 5, 3), np.uint8)
    broken = LipGroup(crops, np.zeros((2, 1, 2), np.float32), np.zeros((2, 1, 1), np.float32))
    origins = [Origin(new_id(), f"session-{number}") for number in range(3)]
    paint = serve.get_deployment_handle("LipSync", "digital-human").paint
    answers = await asyncio.gather(*(paint.remote(broken, origin) for origin in origins))
    assert all(isinstance(answer, Exception) for answer in answers)
    for origin in origins:

        def is_it(line: Line, request_id: str = origin.request_id) -> bool:
            return line.get("request_id") == request_id and line["levelname"] == "WARNING"

        (line,) = await wait_for(server, is_it, 1)
        assert line["session_id"] == origin.session_id
        assert line["deployment"] == "digital-human_LipSync"
        assert "Traceback" in line["exc_text"]


@pytest.mark.parametrize("deployment", ["Ingress", "FaceAnalyzer", "PortraitAnimator", "LipSync"])
async def test_every_replica_writes_json(server: LocalServer, deployment: str) -> None:
    assert [line for line in lines(server) if line["deployment"] == f"digital-human_{deployment}"]
