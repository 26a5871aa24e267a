"""A server with keys and a visible label, as an operator configures it."""

import socket
import time
from collections.abc import Iterator

import httpx
import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from app.api.keys import KeyConfig, key_hash, make_key
from app.client.server import LocalServer
from app.media.frames import decode_frames
from app.media.probe import probe_video
from app.serving.plan import serve_config
from tests.conftest import RAY_TOKEN
from tests.serve.conftest import spoken

KEY = make_key()
IDLE_S = 4.0
STALLED = 70
"""More than the ingress runs and queues at once."""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    document = serve_config(0)
    entry = KeyConfig(name="alice", sha256=key_hash(KEY), max_sessions=1)
    document["applications"][0]["args"] = {
        "api": {"keys": [entry.model_dump()], "upload_idle_s": IDLE_S},
        "media": {"label": "visible"},
    }
    config = tmp_path_factory.mktemp("config") / "serve_config.yaml"
    config.write_text(yaml.safe_dump(document))
    with LocalServer(config, token=RAY_TOKEN) as server:
        yield server


def test_a_wrong_key_is_refused_and_a_right_one_works(
    guarded: LocalServer, portrait: bytes, astronaut: NDArray[np.uint8]
) -> None:
    files = {"portrait": portrait, "audio": spoken(0.4)}
    with httpx.Client(base_url=guarded.url, timeout=120, trust_env=False) as http:
        for headers in ({}, {"x-api-key": "dh_wrong"}, {"authorization": "Bearer dh_wrong"}):
            refused = http.post("/v1/talk", files=files, headers=headers)
            assert refused.status_code == 401
            assert refused.json()["code"] == "unauthorized"
            assert http.get("/v1/models", headers=headers).status_code == 401
            assert http.get("/metrics", headers=headers).status_code == 401
        # The proxy strips what would lift its time limits, so that the request goes through.
        good = {"x-api-key": KEY, "x-request-timeout-seconds": "0"}
        answer = http.post("/v1/talk", files=files, headers=good, data={"motion": "none"})
    assert answer.status_code == 200
    assert "Synthetic" in probe_video(answer.content).tags["comment"]
    corner = next(decode_frames(answer.content))[-28:, :10]
    assert corner.mean() < 0.6 * astronaut[-28:, :10].mean()


def begun_upload(server: LocalServer) -> socket.socket:
    """Return the connection of an upload that does not go on."""
    host, _, port = server.url.removeprefix("http://").partition(":")
    connection = socket.create_connection((host, int(port)), timeout=30)
    head = (
        "POST /v1/talk HTTP/1.1",
        f"Host: {host}",
        f"x-api-key: {KEY}",
        "Content-Type: multipart/form-data; boundary=x",
        "Content-Length: 9999",
    )
    connection.sendall("\r\n".join((*head, "", "--x\r\n")).encode())
    return connection


def test_stalled_uploads_hold_up_no_probes_and_end(guarded: LocalServer, portrait: bytes) -> None:
    files = {"portrait": portrait, "audio": spoken(0.4)}
    headers = {"x-api-key": KEY}
    held = [begun_upload(guarded) for _ in range(STALLED)]
    try:
        with httpx.Client(base_url=guarded.url, timeout=120, trust_env=False) as http:
            probes = []
            for _ in range(round(IDLE_S + 4)):
                probes.append(http.get("/healthz").status_code)
                time.sleep(1)
            answer = http.post("/v1/talk", files=files, headers=headers)
        answers = [connection.recv(65536).split(maxsplit=2)[1] for connection in held]
    finally:
        for connection in held:
            connection.close()
    # All come at once, so that at first Serve's own queue may be full.
    assert set(probes[1:]) == {200}
    assert (answers.count(b"408"), answers.count(b"429")) == (1, STALLED - 1)
    assert answer.status_code == 200
