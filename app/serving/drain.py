"""Before a pod ends: its Ray node takes no new work, and the videos that run here are finished.

Kubernetes calls `python -m app.serving drain` as the pod's preStop hook. Serve starts replicas
elsewhere for those of a draining node, and lets these finish what they have; Kubernetes has taken
the pod out of the service by then, so that the proxy here gets nothing new either.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

EXPORT_URL = "http://127.0.0.1:8080/metrics"
"""Where KubeRay has every pod export its node's metrics."""

RUNNING = "ray_serve_replica_processing_queries"
"""Calls that the replicas on this node are busy with. What its proxy has under way is not read off
`ray_serve_num_ongoing_http_requests`: that is set when a request comes or goes only, and Ray 2.60
forgets it some 25 s later, in the middle of a long stream."""

CONNECTIONS = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
"""Linux's lists of the connections of this pod."""

SERVE_PORT = 8000
ESTABLISHED = "01"

DRAIN_S = 60.0
"""Longest wait for Ray to agree."""

POLL_S = 5.0
SETTLED = 3
"""So often in a row must nothing run: Ray renews what it exports every few seconds."""


def running(text: str) -> float:
    """Return how many calls an export in the Prometheus text format says its replicas work on."""
    lines = [line for line in text.splitlines() if line.startswith(RUNNING)]
    families = text_string_to_metric_families("\n".join(lines))
    return sum(sample.value for family in families for sample in family.samples)


def clients(table: str, port: int) -> int:
    """Return how many clients are connected to a port of this pod.

    Those that only keep a connection for later count too, until the proxy ends it after 90 s.

    Args:
        table: in the format of Linux's `/proc/net/tcp`.
        port: on this side.
    """
    rows = (line.split() for line in table.splitlines()[1:])
    return sum(row[1].endswith(f":{port:04X}") and row[3] == ESTABLISHED for row in rows if row)


def drain_command(deadline_s: float) -> list[str]:
    """Return the command that asks Ray to move work off this node within so many seconds."""
    ray = Path(sys.executable).with_name("ray")
    reason = ["--reason", "DRAIN_NODE_REASON_PREEMPTION", "--reason-message", "The pod ends."]
    deadline = ["--deadline-remaining-seconds", str(int(deadline_s))]
    return [str(ray), "drain-node", *reason, *deadline]


def start_draining(deadline_s: float) -> bool:
    """Ask Ray to move work off this node; return whether it agreed."""
    try:
        asked = subprocess.run(drain_command(deadline_s), check=False, timeout=DRAIN_S)
    except subprocess.TimeoutExpired:
        return False  # the head may be ending too
    return asked.returncode == 0


def exported() -> str:
    """Return this node's metrics.

    Raises:
        httpx.HTTPError: they do not answer.
    """
    answer = httpx.get(EXPORT_URL, timeout=5, trust_env=False)
    answer.raise_for_status()
    return answer.text


def under_way() -> float:
    """Return how much is under way on this node: its replicas' calls, and its proxy's clients."""
    tables = [path.read_text() for path in CONNECTIONS if path.is_file()]
    connected = sum(clients(table, SERVE_PORT) for table in tables)
    try:
        return connected + running(exported())
    except httpx.HTTPError:
        return connected  # without Ray no replica can be there


def wait_until_idle(
    timeout_s: float,
    busy: Callable[[], float] = under_way,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> bool:
    """Wait until nothing runs on this node any more; return whether that came in time.

    Args:
        timeout_s: longest wait, seconds of wall clock.
        busy: returns how much is under way.
        sleep: waits for so many seconds.
        clock: seconds that only go forward.
    """
    end, quiet = clock() + timeout_s, 0
    while clock() < end:
        quiet = 0 if busy() else quiet + 1
        if quiet >= SETTLED:
            return True
        sleep(POLL_S)
    return False


def drain(timeout_s: float) -> bool:
    """Move work off this node and wait for what runs; return whether all of it ended in time.

    Where Ray does not agree, as for the head's node, which has no replicas, only the wait is left.
    """
    start_draining(timeout_s)
    return wait_until_idle(timeout_s)
