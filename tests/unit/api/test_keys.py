"""Keys: who comes in, and what a configuration holds of them."""

import re

import httpx
import pytest
import yaml

from app.api.__main__ import main
from app.api.admission import Sessions
from app.api.app import create_app
from app.api.config import ApiConfig
from app.api.keys import KeyConfig, key_hash, make_key
from tests.unit.api.test_app import FILES, FakeService

KEY = make_key()
CONFIG = ApiConfig(keys=(KeyConfig(name="alice", sha256=key_hash(KEY), max_sessions=2),))


def client(
    service: FakeService,
    config: ApiConfig = CONFIG,
    host: str = "203.0.113.9",
    peers_hidden: bool = False,
) -> httpx.AsyncClient:
    app = create_app(service, config, Sessions(8), peers_hidden)
    transport = httpx.ASGITransport(app, client=(host, 4000))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost:8000")


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer {KEY}"},
        {"x-api-key": KEY},
        {"authorization": "Bearer ", "x-api-key": KEY},
        {"x-api-key": KEY, "host": "dh.example", "origin": "https://app.example"},
    ],
)
@pytest.mark.parametrize("peers_hidden", [False, True])
async def test_a_known_key_comes_in(headers: dict[str, str], peers_hidden: bool) -> None:
    http = client(FakeService(), peers_hidden=peers_hidden)
    assert (await http.post("/v1/talk", files=FILES, headers=headers)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-api-key": ""},
        {"x-api-key": KEY[:-1]},
        {"x-api-key": KEY + "x"},
        {"x-api-key": key_hash(KEY)},
        {"authorization": f"Basic {KEY}"},
        {"authorization": KEY},
        {"authorization": "Bearer wrong", "x-api-key": KEY},
    ],
)
@pytest.mark.parametrize("path", ["/v1/talk", "/v1/models", "/metrics", "/nowhere"])
async def test_every_door_refuses_other_keys(headers: dict[str, str], path: str) -> None:
    service = FakeService()
    answer = await client(service, host="127.0.0.1").post(path, files=FILES, headers=headers)
    assert answer.status_code == 401
    assert answer.json()["code"] == "unauthorized"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert service.jobs == []


async def test_probes_need_no_key() -> None:
    http = client(FakeService())
    assert (await http.get("/healthz")).status_code == 200
    assert (await http.get("/readyz")).status_code == 200


@pytest.mark.parametrize(
    ("host", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("192.168.1.7", {}, 401),
        ("203.0.113.9", {}, 401),
        ("127.0.0.1", {"x-forwarded-for": "203.0.113.9"}, 401),
    ],
)
async def test_without_keys_only_this_machine_is_answered(
    host: str, headers: dict[str, str], status: int
) -> None:
    http = client(FakeService(), ApiConfig(), host)
    assert (await http.get("/v1/models", headers=headers)).status_code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "localhost"}, 200),
        ({"host": "LOCALHOST:8000"}, 200),
        ({"host": "127.0.0.1:8000"}, 200),
        ({"host": "[::1]:8000"}, 200),
        ({"host": ""}, 401),
        ({"host": "evil.example"}, 401),
        ({"host": "localhost.evil.example"}, 401),
        ({"host": "127.0.0.1.evil.example:8000"}, 401),
        ({"host": "evil.example:127"}, 401),
        ({"origin": "http://localhost:3000"}, 200),
        ({"origin": "https://127.0.0.1"}, 200),
        ({"origin": "https://evil.example"}, 401),
        ({"origin": "http://localhost.evil.example"}, 401),
        ({"origin": "null"}, 401),
        ({"origin": ""}, 401),
    ],
)
async def test_without_keys_pages_of_other_sites_are_not_answered(
    headers: dict[str, str], status: int
) -> None:
    http = client(FakeService(), ApiConfig(), "127.0.0.1")
    answer = await http.post("/v1/talk", files=FILES, headers=headers)
    assert answer.status_code == status
    if status == 401:
        assert "api.keys" in answer.json()["hint"]
        assert "evil" not in answer.text


async def test_without_keys_nobody_is_answered_where_a_proxy_hides_who_asks() -> None:
    http = client(FakeService(), ApiConfig(), "127.0.0.1", peers_hidden=True)
    answer = await http.get("/v1/models")
    assert answer.status_code == 401
    assert "HAProxy" in answer.json()["detail"]
    assert "api.keys" in answer.json()["hint"]
    assert (await http.get("/healthz")).status_code == 200


@pytest.mark.parametrize("name", ["x-request-timeout-seconds", "x-request-disconnect-disabled"])
async def test_headers_that_steer_the_proxy_are_refused_where_it_did_not_strip_them(
    name: str,
) -> None:
    http = client(FakeService(), ApiConfig(), "127.0.0.1")
    answer = await http.get("/v1/models", headers={name: "0"})
    assert answer.status_code == 400
    assert name in answer.json()["detail"]


def test_the_command_prints_a_key_and_its_entry(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["key", "bob", "--max-sessions", "3"]) == 0
    printed = capsys.readouterr().out
    found = re.search(r"(dh_\S+)", printed)
    assert found
    (entry,) = yaml.safe_load(printed.split("args:\n")[1])
    assert entry == {"name": "bob", "sha256": key_hash(found[1]), "max_sessions": 3}
    ApiConfig.model_validate({"keys": [entry]})
    assert main(["key", "Bad Name"]) == 1
