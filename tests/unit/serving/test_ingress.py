"""What the ingress tells the HTTP door about where it runs."""

import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from app.serving.ingress import Ingress
from app.settings import AppArgs

UNUSED: Any = None


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    logger = logging.getLogger("app")
    before = list(logger.handlers)
    yield
    logger.handlers = before


@pytest.mark.parametrize(("mode", "status"), [("0", 405), ("1", 401)])
async def test_behind_haproxy_nobody_comes_in_without_a_key(
    monkeypatch: pytest.MonkeyPatch, mode: str, status: int
) -> None:
    monkeypatch.setenv("RAY_SERVE_ENABLE_HA_PROXY", mode)
    app = Ingress(AppArgs(), UNUSED, UNUSED, UNUSED).__serve_build_asgi_app__()
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        answer = await http.get("/v1/talk")
        assert answer.status_code == status
        if status == 401:
            assert "HAProxy" in answer.json()["detail"]
            assert "api.keys" in answer.json()["hint"]
        assert (await http.get("/healthz")).status_code == 200
