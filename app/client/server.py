"""`serve run` as a child process: started on a free port, waited for, stopped without a trace."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import psutil
import yaml

from app.client.talk import problem_of
from app.errors import NotReady, WeightsError

LOG = "serve.log"

HAPROXY = {
    "RAY_SERVE_ENABLE_HA_PROXY": "1",
    "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
}
"""Serve's HAProxy mode with user code on the replica's own event loop: a reader that stalls then
stalls the rendering too."""


class LocalServer:
    """The application of a configuration file, served on a free loopback port.

    Ray's files live in a folder of their own, so that neither another Ray on this machine is
    joined nor anything is left behind. A context manager.

    Args:
        config: a Serve configuration such as `serve_config.yaml`.
        start_timeout_s: how long the server may take until it is ready.
        token: of Ray's dashboard and jobs, for processes that shall join; a random one by default.
        environment: more variables for the server, such as `HAPROXY`.

    Attributes:
        url: where it answers.
        environment: the variables under which another process can join its Ray.
    """

    def __init__(
        self,
        config: Path,
        start_timeout_s: float = 180.0,
        token: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._config = config
        self._extra = dict(environment or {})
        self._token = token or secrets.token_hex(32)
        self._start_timeout_s = start_timeout_s
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""
        self.environment: dict[str, str] = {}

    def __enter__(self) -> Self:
        if not self._config.is_file():
            raise NotReady(f"There is no {self._config} here.", "Run this in the checkout.")
        # Ray puts sockets in there, and their paths must stay below 108 bytes.
        self._folder = Path(tempfile.mkdtemp(prefix="dh-"))
        try:
            self._start(self._folder)
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def _start(self, folder: Path) -> None:
        """Start `serve run` on a copy of the configuration with a free port."""
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        document = yaml.safe_load(self._config.read_text())
        document["http_options"] = {**document.get("http_options", {}), "port": port}
        config = folder / "serve_config.yaml"
        config.write_text(yaml.safe_dump(document))
        here = {"RAY_TMPDIR": str(folder), "TMPDIR": str(folder)}
        self.environment = ray_environment(self._token) | here | haproxy_ports() | self._extra
        serve = Path(sys.executable).with_name("serve")
        with (folder / LOG).open("wb") as log:
            self._process = subprocess.Popen(
                [str(serve), "run", str(config)],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | self.environment,
                start_new_session=True,
            )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def processes(self) -> list[psutil.Process]:
        """Return every process of the server: Ray's own, the proxy and the replicas."""
        if self._process is None:
            return []
        try:
            root = psutil.Process(self._process.pid)
            return [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def cpu_s(self) -> float:
        """Return the CPU-seconds, user and system, that all living processes have used."""
        total = 0.0
        for process in self.processes():
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system
        return total

    def memory_bytes(self) -> int:
        """Return the anonymous and shared memory of all processes.

        What several share counts once. Pages of files, such as libraries, do not count: their
        shares change when other servers on this machine start or stop.
        """
        return sum(_memory_bytes(process.pid) for process in self.processes())

    def stop(self) -> None:
        """Stop every process and remove every file of the server."""
        processes = self.processes()
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self._process.kill()
        for process in processes:
            if process.is_running():
                process.kill()
        psutil.wait_procs(processes, timeout=10)
        self._process = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _wait_until_ready(self) -> None:
        """Return once `/readyz` says so.

        Raises:
            NotReady: the server stopped, took too long, or says what it lacks.
        """
        until_s = time.monotonic() + self._start_timeout_s
        assert self._process is not None
        with httpx.Client(base_url=self.url, timeout=30, trust_env=False) as client:
            while time.monotonic() < until_s and self._process.poll() is None:
                time.sleep(0.3)
                try:
                    answer = client.get("/readyz")
                except httpx.HTTPError:
                    continue
                if answer.status_code == 200:
                    return
                problem = problem_of(answer)
                if problem["code"] == WeightsError.code:  # all else may come right by itself
                    raise NotReady(str(problem["detail"]), str(problem["hint"]))
        log = self._folder / LOG if self._folder else Path(LOG)
        raise NotReady(
            "The server did not get ready.",
            f"Its log ends so:\n{log.read_text(errors='replace')[-4000:]}",
        )


def _memory_bytes(pid: int) -> int:
    """Return a process's share of anonymous and shared memory, 0 if it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    counted = ("Pss_Anon:", "Pss_Shmem:")
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(counted))


def ray_environment(token: str) -> dict[str, str]:
    """Return the variables under which Ray keeps to loopback and asks for `token`.

    Without a token, any other user of this machine could run code as this one. A process that
    joins needs the same variables before it imports Ray.
    """
    return {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": token,
        "RAY_USAGE_STATS_ENABLED": "0",
        # Ray's name for "loopback, not this machine's address"; it works on Linux as well.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "app.serving.edge:middlewares",
        # Ray replaces a proxy after three checks in a row that failed, ten seconds apart by
        # default: one that died is missed for half a minute.
        "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "3",
    }


def haproxy_ports() -> dict[str, str]:
    """Return the variables that give HAProxy's statistics free ports; its own are fixed ones."""
    names = ("RAY_SERVE_HAPROXY_STATS_PORT", "RAY_SERVE_HAPROXY_METRICS_PORT")
    return {name: str(free_port()) for name in names}


def free_port() -> int:
    """Return a TCP port of the loopback interface that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
