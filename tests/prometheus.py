"""Prometheus itself, for tests: Debian's package, installed or unpacked beside the checkout."""

import contextlib
import functools
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from app.client.server import free_port
from app.observability.manifests import scrape
from app.observability.rules import RuleSet

UNPACKED = Path(__file__).parents[1] / "out" / "debian-prometheus"


def tool(name: str) -> Path:
    """Return the program `prometheus` or `promtool`; skip the test where it is not to be had."""
    found = shutil.which(name)
    if found:
        return Path(found)
    path = UNPACKED / "usr" / "bin" / name
    reason = "" if path.exists() else _unpack()
    if reason:
        pytest.skip(f"no {name} here, and its Debian package could not be had: {reason}")
    return path


@functools.cache
def _unpack() -> str:
    """Unpack the package without installing it, and return why that failed, or nothing."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        return "this is not Debian"
    UNPACKED.mkdir(parents=True, exist_ok=True)
    download = ["apt-get", "--quiet", "download", "prometheus"]
    try:
        if _failed(download) and os.geteuid() == 0:
            _failed(["apt-get", "--quiet", "update"])
        if not any(UNPACKED.glob("*.deb")) and (reason := _failed(download)):
            return reason
        package = next(UNPACKED.glob("*.deb"))
        return _failed(["dpkg-deb", "--extract", package.name, "."])
    except (subprocess.TimeoutExpired, StopIteration) as error:
        return type(error).__name__


def _failed(command: list[str]) -> str:
    """Run a command in the folder of the package, and return what it says if it fails."""
    done = subprocess.run(command, cwd=UNPACKED, capture_output=True, text=True, timeout=120)
    last = (done.stderr or done.stdout).strip().splitlines()[-1:]
    return "" if done.returncode == 0 else " ".join(last) or f"exit status {done.returncode}"


class Prometheus:
    """A running Prometheus.

    Attributes:
        url: where it answers.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=url, timeout=30, trust_env=False)

    def get(self, path: str, **params: str) -> Any:  # noqa: ANN401 - JSON
        """Return the data of an answer of the HTTP API."""
        answer = self._http.get(f"/api/v1/{path}", params=params)
        body = answer.json()
        assert body["status"] == "success", body
        return body["data"]

    def query(self, expr: str) -> dict[frozenset[tuple[str, str]], float]:
        """Return the value of each series that an instant query gives, by its labels."""
        result = self.get("query", query=expr)["result"]
        return {frozenset(one["metric"].items()): float(one["value"][1]) for one in result}

    def value(self, expr: str) -> float:
        """Return what an expression comes to, 0 where there is nothing; of one series at most."""
        values = list(self.query(expr).values())
        assert len(values) <= 1, f"{expr} gives {values}"
        return values[0] if values else 0.0

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire."""
        alerts = self.get("alerts")["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    def close(self) -> None:
        """Close the connection to it."""
        self._http.close()


@contextlib.contextmanager
def prometheus(folder: Path, rules: RuleSet, discovery: Path) -> Iterator[Prometheus]:
    """Run a Prometheus that looks every second, on a loopback port, with its files in a folder.

    Args:
        folder: empty.
        rules: that it evaluates.
        discovery: Ray's list of what is scraped.
    """
    program = tool("prometheus")
    config = folder / "prometheus.yaml"
    config.write_text(yaml.safe_dump(scrape(1, str(discovery))))
    (folder / "rules.yaml").write_text(yaml.safe_dump(rules.document()))
    address = f"127.0.0.1:{free_port()}"
    command = [
        str(program),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
    ]
    log = folder / "prometheus.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, cwd=folder)
    running = Prometheus(f"http://{address}")
    try:
        _wait(running, process, log)
        yield running
    finally:
        running.close()
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(running: Prometheus, process: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(300):
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{running.url}/-/ready", trust_env=False).status_code == 200:
                return
        assert process.poll() is None, log.read_text()[-2000:]
        time.sleep(0.1)
    raise AssertionError(f"Prometheus did not get ready:\n{log.read_text()[-2000:]}")
