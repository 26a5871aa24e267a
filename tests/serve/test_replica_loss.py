"""A replica that dies in the middle of a request: a clean end, never a wrong frame."""

import asyncio
import time

import httpx
import psutil

from app.client.server import LocalServer
from tests.serve.conftest import spoken

RECOVERED_WITHIN_S = 30
FILES_SECONDS = 12


def replica(server: LocalServer, deployment: str) -> psutil.Process:
    """Return the process of a deployment's replica, which Ray names after it."""
    (found,) = [
        process
        for process in server.processes()
        if any(f"ServeReplica:digital-human:{deployment}" in word for word in process.cmdline())
    ]
    return found


async def test_a_killed_lip_sync_replica_spoils_no_video_and_comes_back(
    server: LocalServer, http: httpx.AsyncClient, portrait: bytes
) -> None:
    files = {"portrait": portrait, "audio": spoken(FILES_SECONDS)}
    options = {"size": "256"}
    whole = (await http.post("/v1/talk", files=files, data=options)).content

    received = bytearray()
    try:
        async with http.stream("POST", "/v1/talk", files=files, data=options) as answer:
            assert answer.status_code == 200
            async for chunk in answer.aiter_raw():
                if not received:
                    replica(server, "LipSync").kill()
                received += chunk
    except httpx.HTTPError:
        pass  # a cut stream is how an error after the first byte looks
    # Equal requests give equal bytes, so whatever came before the end is right.
    assert received == whole[: len(received)]

    until_s = time.monotonic() + RECOVERED_WITHIN_S
    good = {"portrait": portrait, "audio": spoken(0.4)}
    while time.monotonic() < until_s:
        answer = await http.post("/v1/talk", files=good, data=options)
        if answer.status_code == 200:
            break
        assert answer.json()["code"] in {"not_ready", "over_capacity", "deadline"}
        await asyncio.sleep(0.5)
    assert answer.status_code == 200
