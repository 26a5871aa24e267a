"""Keys in a file: looked up anew when it changes, and nobody comes in by a damaged one."""

import os
from pathlib import Path

import httpx
import pytest
import yaml

from app.api.admission import Sessions
from app.api.app import create_app
from app.api.config import ApiConfig
from app.api.key_file import KeyFile
from app.api.keys import KeyConfig, key_hash, make_key
from tests.unit.api.test_app import FakeService

KEY, OTHER = make_key(), make_key()


def write(path: Path, *keys: str) -> None:
    entries = [{"name": f"k{i}", "sha256": key_hash(key)} for i, key in enumerate(keys)]
    fresh = path.with_suffix(".new")
    fresh.write_text(yaml.safe_dump(entries))
    fresh.replace(path)


async def status(client: httpx.AsyncClient, key: str = "") -> int:
    headers = {"x-api-key": key} if key else {}
    return (await client.get("/v1/models", headers=headers)).status_code


def client(config: ApiConfig, host: str = "203.0.113.9") -> httpx.AsyncClient:
    app = create_app(FakeService(), config, Sessions(8))
    transport = httpx.ASGITransport(app, client=(host, 4000))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost:8000")


async def test_keys_come_and_go_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    async with client(ApiConfig(keys_file=path)) as http:
        assert await status(http, KEY) == 401
        write(path, KEY)
        assert await status(http, KEY) == 200
        assert await status(http, OTHER) == 401
        write(path, OTHER)
        assert await status(http, KEY) == 401
        assert await status(http, OTHER) == 200
        path.unlink()
        assert await status(http, OTHER) == 401


async def test_configured_keys_hold_beside_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    write(path, OTHER)
    key = KeyConfig(name="alice", sha256=key_hash(KEY))
    async with client(ApiConfig(keys=(key,), keys_file=path)) as http:
        assert await status(http, KEY) == 200
        assert await status(http, OTHER) == 200
        assert await status(http) == 401


async def test_without_keys_in_its_file_not_even_this_machine_comes_in(tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    path.write_text("[]\n")
    async with client(ApiConfig(keys_file=path), host="127.0.0.1") as http:
        assert await status(http) == 401


@pytest.mark.parametrize(
    "text", ["", "a: b", "- name: x", "[", "- {name: x, sha256: nothing}", "\x00"]
)
def test_a_damaged_file_lets_nobody_in_and_is_not_shown_in_the_log(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "keys.yaml"
    write(path, KEY)
    file = KeyFile(path)
    assert [key.sha256 for key in file.current()] == [key_hash(KEY)]
    path.write_text(text)
    os.utime(path, ns=(1, 1))
    assert file.current() == ()
    assert "holds no list of API keys" in caplog.text
    assert "nothing" not in caplog.text


def test_a_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "keys.yaml"
    write(path, KEY)
    file = KeyFile(path)
    file.current()
    monkeypatch.setattr(Path, "read_text", lambda *_: pytest.fail("read again"))
    assert len(file.current()) == 1


def test_the_entry_that_the_command_prints_is_one_of_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from app.api.__main__ import main

    assert main(["key", "alice"]) == 0
    _, _, entry = capsys.readouterr().out.partition("args:\n")
    (tmp_path / "keys.yaml").write_text(entry)
    (key,) = KeyFile(tmp_path / "keys.yaml").current()
    assert key.name == "alice"
