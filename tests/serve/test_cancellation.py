"""A client that leaves takes its work with it."""

import asyncio

import httpx
import psutil

from app.client.server import LocalServer
from tests.serve.conftest import spoken

SECONDS = 60


def replica_cpu_s(server: LocalServer) -> float:
    """Return the CPU-seconds of all replicas, which Ray names after their deployments."""
    total = 0.0
    for process in server.processes():
        try:
            if any("ServeReplica" in word for word in process.cmdline()):
                times = process.cpu_times()
                total += times.user + times.system
        except psutil.NoSuchProcess:
            continue
    return total


async def test_a_client_that_leaves_stops_all_work_for_it(
    server: LocalServer, http: httpx.AsyncClient, portrait: bytes
) -> None:
    files = {"portrait": portrait, "audio": spoken(SECONDS)}
    async with http.stream("POST", "/v1/talk", files=files) as answer:
        assert answer.status_code == 200
        busy_from_s = replica_cpu_s(server)
        await asyncio.sleep(1)
        busy_s = replica_cpu_s(server) - busy_from_s
    await asyncio.sleep(2)
    idle_from_s = replica_cpu_s(server)
    await asyncio.sleep(2)
    idle_s = replica_cpu_s(server) - idle_from_s
    # Two seconds of rendering would cost twice what one did; event loops alone cost little.
    assert busy_s > 0.5
    assert idle_s < 0.2 * busy_s
    good = {"portrait": portrait, "audio": spoken(0.4)}
    assert (await http.post("/v1/talk", files=good)).status_code == 200
