"""The log files that Ray writes for a server."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.client.server import LocalServer

Line = dict[str, Any]

PATIENCE_S = 10.0


def session_folder(server: LocalServer) -> Path:
    """Return where Ray keeps all logs of the server's session."""
    (folder,) = Path(server.environment["RAY_TMPDIR"]).rglob("session_latest/logs")
    return folder


def lines(server: LocalServer) -> list[Line]:
    """Return every line that replicas wrote; raises unless each is JSON."""
    files = session_folder(server).joinpath("serve").glob("replica_*.log*")
    return [json.loads(line) for file in sorted(files) for line in file.read_text().splitlines()]


async def wait_for(server: LocalServer, wanted: Callable[[Line], bool], count: int) -> list[Line]:
    """Return the lines that are wanted, once there are so many."""
    found: list[Line] = []
    for _ in range(round(PATIENCE_S / 0.1)):
        found = [line for line in lines(server) if wanted(line)]
        if len(found) >= count:
            break
        await asyncio.sleep(0.1)
    return found
