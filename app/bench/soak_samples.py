"""What a soak samples of every process of a server, and the verdict whether that stays flat.

Memory is anonymous memory, where several share it each its part (`Pss_Anon`): code and other files
are the kernel's cache, whose share in the PSS moves when any neighbour starts or ends, and the
pages of the object store belong to no single process; its used bytes have a verdict of their own.
"""

import json
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx
import psutil

from app.client.server import LocalServer
from app.errors import NotReady

MB = 1_000_000
SAMPLE_EVERY_S = 5.0
EARLY = (0.25, 0.5)
LATE = (0.75, 1.0)
"""The quarters of a run whose medians are compared. Both lie behind the warm-up, the first fifth,
in which growth is due: pools and caches fill, allocators take their arenas."""

MAX_GROWTH = 0.10
"""Share of its memory that a process may grow: large ones breathe in proportion to their load."""

MAX_GROWTH_BYTES = 16 * MB
"""What a process may always grow: two groups of 8 frames of 512 px (6.3 MB each) that its allocator
kept, and some. A leak of one photo of 256 px (0.2 MB) per request passes it within 80 requests."""

MAX_MORE_DESCRIPTORS = 4
MAX_MORE_THREADS = 4
"""A connection or a pool's thread more per worker of the load, and one to spare; a leak of one per
abandoned request passes it at once."""

MAX_STORE_GROWTH_BYTES = 16 * MB
"""As for memory: frames in flight come and go, a lost reference to them stays."""

STORE = "object store"
ALL = "all processes"
IDLE_WORKER = "idle worker"
IDLE_CORES = 0.1
"""CPU of all replicas at rest; event loops and health checks take about 0.05 cores."""

REPLICAS = ("ingress", "face", "portrait", "lips")
USED = "ray_object_store_used_memory"
SESSIONS = "ray_digital_human_sessions"

TITLES = {
    "Ingress": "ingress",
    "FaceAnalyzer": "face",
    "PortraitAnimator": "portrait",
    "LipSync": "lips",
    "ServeController": "controller",
    "ProxyActor": "proxy",
    "HAProxyManager": "proxy manager",
    "IDLE": IDLE_WORKER,
    "DashboardAgent": "dashboard agent",
    "RuntimeEnvAgent": "runtime env agent",
    "gcs_server": "gcs",
    "monitor": "autoscaler",
    "default_worker": IDLE_WORKER,
    "log_monitor": "log monitor",
}
"""Roles by the titles and programs of Ray's processes; others keep their own."""

Quantity = Literal["memory", "descriptors", "threads", "replaced", "object store", "store at rest"]


@dataclass(frozen=True, slots=True)
class Usage:
    """What the processes of one role take together.

    Attributes:
        memory_bytes: anonymous memory; shared pages count in part.
        pss_bytes: all memory; shared pages count in part.
        store_bytes: the part of it that is shared memory: the object store's pages.
        descriptors: open files and sockets.
        threads: of all processes.
        cpu_s: user and system, since their start.
        pids: the processes.
    """

    memory_bytes: int
    pss_bytes: int
    store_bytes: int
    descriptors: int
    threads: int
    cpu_s: float
    pids: tuple[int, ...]

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.memory_bytes + other.memory_bytes,
            self.pss_bytes + other.pss_bytes,
            self.store_bytes + other.store_bytes,
            self.descriptors + other.descriptors,
            self.threads + other.threads,
            self.cpu_s + other.cpu_s,
            self.pids + other.pids,
        )


NOTHING = Usage(0, 0, 0, 0, 0, 0.0, ())


@dataclass(frozen=True, slots=True)
class Sample:
    """A server at one moment.

    Attributes:
        at_s: seconds into the run; negative before it.
        usages: by role.
        store_bytes: used in the object store, as Ray's export says every 10 s; None where it did
            not answer.
        sessions: under way, from the same export.
    """

    at_s: float
    usages: dict[str, Usage]
    store_bytes: float | None
    sessions: float | None

    def total(self) -> Usage:
        """Return what all processes take."""
        return sum(self.usages.values(), NOTHING)

    def replica_cpu_s(self) -> float:
        """Return the CPU-seconds of the replicas."""
        return sum(self.usages.get(role, NOTHING).cpu_s for role in REPLICAS)


@dataclass(frozen=True, slots=True)
class Growth:
    """One quantity of one role, early and late in a run, and how much more is allowed.

    Bytes or counts. Of "replaced", `end` counts processes that came or went in between.
    """

    process: str
    quantity: Quantity
    start: float
    end: float
    allowed: float

    @property
    def more(self) -> float:
        """How much it grew."""
        return self.end - self.start

    @property
    def met(self) -> bool:
        """Whether it stays flat; what was never measured (NaN) does not."""
        return self.more <= self.allowed


class Sampler:
    """Reads what a server's processes take, and what Ray exports about its object store.

    Args:
        server: that runs.

    Raises:
        NotReady: this system has no `/proc/PID/smaps_rollup`.
    """

    def __init__(self, server: LocalServer) -> None:
        if not Path("/proc/self/smaps_rollup").is_file():
            raise NotReady("A soak reads Linux's /proc, which is not here.", "Run it on Linux.")
        self._server = server
        self._export_url = ""

    def sample(self, at_s: float) -> Sample:
        """Return the server as it is now."""
        usages: dict[str, Usage] = {}
        for process in self._server.processes():
            try:
                role = role_of(process.cmdline())
                usages[role] = usages.get(role, NOTHING) + _usage(process)
            except (psutil.Error, OSError):  # it ended meanwhile
                continue
        text = self._export()
        return Sample(at_s, usages, gauge(text, USED), gauge(text, SESSIONS))

    def _export(self) -> str:
        """Return what Ray exports on this node; empty where it does not answer.

        Ray lists its exports in a file for Prometheus; the node's own has the object store.
        """
        for url in [self._export_url] if self._export_url else self._targets():
            try:
                text = httpx.get(url, timeout=10, trust_env=False).text
            except httpx.HTTPError:
                continue
            if f"\n{USED}" in text:
                self._export_url = url
                return text
        return ""

    def _targets(self) -> list[str]:
        folder = Path(self._server.environment["RAY_TMPDIR"])
        files = folder.glob("ray/session_latest/prom_metrics_service_discovery.json")
        groups = [group for file in files for group in json.loads(file.read_text())]
        return [f"http://{target}/metrics" for group in groups for target in group["targets"]]


def gauge(text: str, name: str) -> float | None:
    """Return the sum of a gauge in the Prometheus text format, or None where it is absent.

    Ray's export has megabytes, of which few lines matter: a whole parser would cost the run CPU.
    """
    lines = [line for line in text.splitlines() if line.startswith((name + "{", name + " "))]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines) if lines else None


def role_of(words: Sequence[str]) -> str:
    """Return the role of a process by its command line, or by the title that Ray gave it."""
    first = words[0] if words else "?"
    if first.startswith("ray::"):  # such as ray::ServeReplica:APPLICATION:DEPLOYMENT.method
        title = first.removeprefix("ray::").split(":")[-1].split(".")[0]
        return TITLES.get(title, title)
    if first.startswith("ray-dashboard-"):
        return "dashboard " + first.split("-")[2].removesuffix("Head")
    program = Path(first).name
    if program.startswith("python"):
        if "-c" in words:
            return next((word for word in _words(words) if word in FORKERS), "python -c")
        script = next((word for word in words[1:] if not word.startswith("-")), program)
        program = Path(script).stem
    return TITLES.get(program, program)


FORKERS = ("resource_tracker", "forkserver")


def _words(words: Sequence[str]) -> list[str]:
    return " ".join(words).replace(".", " ").replace(";", " ").split()


def _usage(process: psutil.Process) -> Usage:
    lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()[1:]
    kb = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    times = process.cpu_times()
    return Usage(
        memory_bytes=kb["Pss_Anon"] * 1024,
        pss_bytes=kb["Pss"] * 1024,
        store_bytes=kb["Pss_Shmem"] * 1024,
        descriptors=process.num_fds(),
        threads=process.num_threads(),
        cpu_s=times.user + times.system,
        pids=(process.pid,),
    )


def judge(samples: Sequence[Sample], seconds: float, before: Sample, after: Sample) -> list[Growth]:
    """Return how each quantity of each role grew, those of all processes and the store's last.

    Args:
        samples: of a run.
        seconds: that the run took.
        before: the server at rest before it.
        after: the server at rest after it.
    """
    early = _within(samples, seconds, EARLY)
    late = _within(samples, seconds, LATE)
    roles = sorted({role for sample in early + late for role in sample.usages})
    found = []
    for role in roles:
        parts = [[sample.usages.get(role, NOTHING) for sample in part] for part in (early, late)]
        found += [_memory(role, *parts), *_counts(role, *parts)]
    totals = [[sample.total() for sample in part] for part in (early, late)]
    found.append(_memory(ALL, *totals))
    store = (_median(_store(early)), _median(_store(late)))
    found.append(Growth(STORE, "object store", *store, MAX_STORE_GROWTH_BYTES))
    rest = (_median(_store([before])), _median(_store([after])))
    found.append(Growth(STORE, "store at rest", *rest, MAX_STORE_GROWTH_BYTES))
    return found


def _memory(role: str, early: list[Usage], late: list[Usage]) -> Growth:
    start = _median([usage.memory_bytes for usage in early])
    end = _median([usage.memory_bytes for usage in late])
    return Growth(role, "memory", start, end, max(MAX_GROWTH * start, MAX_GROWTH_BYTES))


def _counts(role: str, early: list[Usage], late: list[Usage]) -> list[Growth]:
    """Return the growth of descriptors and threads, and how many processes came or went.

    A role that is absent counts as zero: a process that is left behind is growth. One that is
    replaced would hide its growth; only Ray's idle workers may come and go.
    """
    replaced = set() if role == IDLE_WORKER else _lasting(early) ^ _lasting(late)
    files = [_median([usage.descriptors for usage in part]) for part in (early, late)]
    threads = [_median([usage.threads for usage in part]) for part in (early, late)]
    return [
        Growth(role, "descriptors", files[0], files[1], MAX_MORE_DESCRIPTORS),
        Growth(role, "threads", threads[0], threads[1], MAX_MORE_THREADS),
        Growth(role, "replaced", 0, len(replaced), 0),
    ]


def _lasting(usages: list[Usage]) -> set[int]:
    """Return the processes that are there in most samples; a short-lived fork is not."""
    seen = Counter(pid for usage in usages for pid in usage.pids)
    return {pid for pid, times in seen.items() if 2 * times > len(usages)}


def _within(samples: Sequence[Sample], seconds: float, part: tuple[float, float]) -> list[Sample]:
    return [sample for sample in samples if part[0] * seconds <= sample.at_s <= part[1] * seconds]


def _store(samples: list[Sample]) -> list[float]:
    return [sample.store_bytes for sample in samples if sample.store_bytes is not None]


def is_idle(last: Sample, now: Sample) -> bool:
    """Return whether the replicas hardly worked between two samples, and no session is left."""
    busy_s = now.replica_cpu_s() - last.replica_cpu_s()
    return busy_s <= IDLE_CORES * (now.at_s - last.at_s) and now.sessions == 0


def _median(values: Sequence[float]) -> float:
    return statistics.median(values) if values else float("nan")
