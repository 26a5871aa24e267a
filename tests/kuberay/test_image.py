"""The image's steps, taken in a folder in place of a root file system: installed, started, asked.

No container engine is needed. The packages that the project depends on are those of this
environment; the application itself is installed from what the Dockerfile copies.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
import yaml

from app.client.server import free_port, ray_environment
from app.weights.store import default_folder
from tests.kuberay.dockerfile import ROOT, copied, environment, stages

START_S = 180.0
USER = 10001


def _steps(folder: Path) -> None:
    """Do what the stages of `cpu` do, in `folder`."""
    source = folder / "src"
    source.mkdir()
    for name in copied(stages()["build-cpu"]):
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy(ROOT / name, source / name)
    python = folder / "venv" / "bin" / "python"
    for command in (
        [sys.executable, "-m", "venv", str(folder / "venv")],
        [str(python), "-m", "pip", "install", "--quiet", "--no-deps", str(source)],
    ):
        subprocess.run(command, check=True, timeout=300)
    shutil.rmtree(source)
    (own,) = (folder / "venv" / "lib").glob("python*/site-packages")
    here = next(path for path in sys.path if path.endswith("site-packages"))
    (own / "dependencies.pth").write_text(f"{here}\n")
    # The scripts of dependencies, which pip would have put here.
    for script in ("ray", "serve"):
        text = Path(sys.executable).with_name(script).read_text()
        (folder / "venv" / "bin" / script).write_text(f"#!{python}\n{text.partition(chr(10))[2]}")
        (folder / "venv" / "bin" / script).chmod(0o755)
    (folder / "work").mkdir()
    for name in copied(stages()["cpu"]):
        shutil.copy(ROOT / name, folder / "work")
    shutil.copytree(default_folder(), folder / "models" / "digital-human" / "weights")
    (folder / "models" / "digital-human" / "engines").mkdir()


@pytest.fixture(scope="module")
def image() -> Iterator[Path]:
    # Ray puts sockets below it, whose paths must stay short.
    folder = Path(tempfile.mkdtemp(prefix="dhi-", dir="/tmp"))
    try:
        folder.chmod(0o755)
        _steps(folder)
        (folder / "tmp").mkdir()
        (folder / "tmp").chmod(0o1777)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _variables(image: Path) -> dict[str, str]:
    """Return the image's own variables, with its paths moved."""
    moved = {"/opt/venv": str(image / "venv"), "$PATH": "/usr/bin:/bin"}
    moved |= {"/models": str(image / "models")}
    variables = environment("cpu")
    for old, new in moved.items():
        variables = {key: value.replace(old, new) for key, value in variables.items()}
    return variables | {key: str(image / "tmp") for key in ("HOME", "TMPDIR", "RAY_TMPDIR")}


def _as_user() -> list[str]:
    """Return what starts a command as the image's user; nothing where this is no root."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("this is root, and there is no setpriv to become somebody else")
    # Python itself may lie where only root may read: reading is let through, writing is not.
    caps = "-all,+dac_read_search"
    ids = [f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
    return [setpriv, *ids, f"--inh-caps={caps}", f"--ambient-caps={caps}"]


def _files(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path): (status.st_mtime_ns, status.st_size)
        for path in folder.rglob("*")
        if (status := path.lstat())
    }


def test_the_application_is_whole_without_the_checkout(image: Path) -> None:
    listing = "import app, pathlib; print(pathlib.Path(app.__file__).parent)"
    python = str(image / "venv" / "bin" / "python")
    ran = subprocess.run(
        [python, "-c", listing], cwd=image, capture_output=True, text=True, check=True, timeout=60
    )
    installed = Path(ran.stdout.strip())
    assert installed.is_relative_to(image)
    ours = {path.relative_to(ROOT / "app") for path in (ROOT / "app").rglob("*.*")}
    ours = {path for path in ours if "__pycache__" not in path.parts}
    there = {path.relative_to(installed) for path in installed.rglob("*.*")}
    assert sorted(map(str, ours - there)) == []


def test_it_serves_as_another_user_and_writes_nothing_into_itself(image: Path) -> None:
    config = image / "work" / "serve_config.yaml"
    document = yaml.safe_load(config.read_text())
    port = document["http_options"]["port"] = free_port()
    config.write_text(yaml.safe_dump(document))
    before = {part: _files(image / part) for part in ("venv", "work", "models")}
    command = json.loads(stages()["cpu"].all("CMD")[0])
    entry = [*_as_user(), str(image / "venv" / "bin" / command[0]), *command[1:]]
    token = "0" * 64
    variables = ray_environment(token) | _variables(image)
    with (image / "serve.log").open("wb") as log:
        server = subprocess.Popen(
            entry, cwd=image / "work", env=variables, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            _wait(server, f"http://127.0.0.1:{port}", image / "serve.log")
            everyone = psutil.Process(server.pid).children(recursive=True)
            if os.geteuid() == 0:
                assert {process.uids().effective for process in everyone} == {USER}
            health = json.loads(stages()["cpu"].all("HEALTHCHECK")[0].partition("CMD ")[2])
            if shutil.which("wget"):
                probe = [word.replace(":8000/", f":{port}/") for word in health]
                assert subprocess.run(probe, check=False, timeout=30).returncode == 0
        finally:
            _stop(server)
    assert {part: _files(image / part) for part in before} == before


def _wait(server: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    end = time.monotonic() + START_S
    with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
        while time.monotonic() < end and server.poll() is None:
            time.sleep(0.5)
            try:
                answers = [client.get(path) for path in ("/readyz", "/healthz", "/-/healthz")]
            except httpx.HTTPError:
                continue
            if all(answer.status_code == 200 for answer in answers):
                return
    pytest.fail(f"It did not get ready:\n{log.read_text(errors='replace')[-3000:]}")


def _stop(server: "subprocess.Popen[bytes]") -> None:
    """End the server and whatever it started."""
    processes = psutil.Process(server.pid).children(recursive=True) if server.poll() is None else []
    server.send_signal(signal.SIGINT)
    try:
        server.wait(timeout=30)
    except subprocess.TimeoutExpired:
        server.kill()
    for process in processes:
        if process.is_running():
            process.kill()
    psutil.wait_procs(processes, timeout=10)
