"""A soak: good, bad and abandoned requests, several at once, on one server for minutes.

What is asked comes from a seed: equal seeds ask for the same in the same order. At first workers
ask for the next as soon as they have their answers, which shows how many the machine can answer;
then for a share of that, at a steady rate.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

from app.bench.keyed import keyed
from app.bench.soak_requests import CODES, Client, Kind, Order, orders
from app.bench.soak_samples import SAMPLE_EVERY_S, Growth, Sample, Sampler, is_idle, judge
from app.client.server import LocalServer
from app.errors import NotReady, OverCapacity, UnknownPortrait

WORKERS = 4
"""Requests at once: more than two cores can render, and few enough that the sessions which clients
left a moment ago never fill the server's eight places."""

FLAT_OUT_S = 60.0

CACHE_BYTES = 2_000_000
"""Of the portraits that are kept for chunks, less than the mix has: they fill the object store in
the first minute, and come and go from then on. The default's 128 MB would grow for the whole run,
which is no leak and looks like one."""

IDLE_SAMPLES = 3
"""Samples in a row that must be idle: the gauges of Ray's export are up to 10 s old."""

IDLE_WITHIN_S = 90.0
MAX_COMPLAINTS = 20

MAX_WARNINGS = 100
LOUD = {"WARNING", "ERROR", "CRITICAL"}
EXPECTED = {"ok", "abandoned", UnknownPortrait.code, OverCapacity.code, *CODES.values()}
"""Outcomes of requests in the server's log that the mix asks for: a portrait that made room is sent
again, and a live stream may be refused."""

WARM_UP = Order(Kind.GOOD, 0, Fraction(3), Fraction(25), 256, leave_s=0.0)


@dataclass(slots=True)
class Tally:
    """Answers by kind of request, those that were wrong, and when and how the first ones were."""

    asked: Counter[Kind] = field(default_factory=Counter)
    wrong: Counter[Kind] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, kind: Kind, complaint: str) -> None:
        """Count an answer; an empty complaint means that it was right."""
        with self._lock:
            self.asked[kind] += 1
            if complaint:
                self.wrong[kind] += 1
                if len(self.complaints) < MAX_COMPLAINTS:
                    self.complaints.append(f"{time.strftime('%H:%M:%S')} {kind}: {complaint}")


@dataclass(frozen=True, slots=True)
class Soak:
    """A finished soak.

    Attributes:
        seed: of the mix.
        seconds: that requests were made.
        tally: of the answers.
        samples: from before the first request until the server was idle again.
        growths: the verdict, quantity by quantity.
        idle_after_s: seconds from the last answer until the server was idle; None if it never was.
        warnings: lines of the server's log that no request of the mix explains, the last ones.
        most_per_s: requests per second, as fast as they were answered.
        cpu_cores: CPU of all of the server's processes, on average.
    """

    seed: int
    seconds: float
    tally: Tally
    samples: list[Sample]
    growths: list[Growth]
    idle_after_s: float | None
    warnings: list[str] = field(default_factory=list)
    most_per_s: float = 0.0
    cpu_cores: float = 0.0

    @property
    def met(self) -> bool:
        """Whether all stays flat, every answer was right, and abandoned work came to its end."""
        flat = all(growth.met for growth in self.growths)
        return flat and not self.tally.wrong and self.idle_after_s is not None


Progress = Callable[[float, Tally], None]
"""Told the seconds so far and the answers, at every sample."""


class _Queue:
    """Hands each request to one worker; generators alone are not safe among threads.

    Args:
        waiting: the requests.
        per_s: how many are handed out a second; infinitely many by default.
    """

    def __init__(self, waiting: Iterator[Order], per_s: float = float("inf")) -> None:
        self._waiting, self._every_s = waiting, 1 / per_s
        self._due_s = time.monotonic()
        self._lock = threading.Lock()

    def next(self, stop: threading.Event) -> Order:
        """Return the next request once it is due, or a stop was asked for.

        Time that no worker was free in is made up for.
        """
        with self._lock:
            order, due_s = next(self._waiting), self._due_s
            self._due_s += self._every_s
        stop.wait(max(0.0, due_s - time.monotonic()))
        return order


def soak(
    config: Path,
    seconds: float,
    seed: int,
    environment: Mapping[str, str],
    progress: Progress,
    share: float = 0.8,
) -> Soak:
    """Serve `config`, and put the mix on it while its processes are sampled.

    Args:
        config: a Serve configuration.
        seconds: to make requests.
        seed: of the mix.
        environment: more variables for the server.
        progress: told of every sample.
        share: of the requests per second that it answers flat out, in (0, 1].

    Raises:
        NotReady: the server does not start, or is no good before the soak.
    """
    with (
        keyed(config, frames={"cache_bytes": CACHE_BYTES}) as (with_key, key),
        LocalServer(with_key, environment=environment) as server,
    ):
        client, sampler = Client(server.url, key), Sampler(server)
        complaint = client.make(WARM_UP)
        most_per_s = _flat_out(client, seed)
        ready, idle = _until_idle(sampler, time.monotonic())
        if complaint := complaint or ("" if idle else "It is never idle."):
            said = f"The server is no good before the soak. {complaint}"
            raise NotReady(said, "Is there another load on this machine?")
        before, tally, began_s = replace(ready[-1], at_s=0.0), Tally(), time.monotonic()
        samples = [before]
        with _load(client, _Queue(orders(seed), share * most_per_s), tally):
            while samples[-1].at_s < seconds:
                due_s = began_s + len(samples) * SAMPLE_EVERY_S
                time.sleep(max(0.0, due_s - time.monotonic()))
                samples.append(sampler.sample(time.monotonic() - began_s))
                progress(samples[-1].at_s, tally)
        ended_s = time.monotonic()
        rest, idle = _until_idle(sampler, began_s)
        return Soak(
            seed=seed,
            seconds=seconds,
            tally=tally,
            samples=samples + rest,
            growths=judge(samples, seconds, before, rest[-1]),
            idle_after_s=time.monotonic() - ended_s if idle else None,
            warnings=warnings_in(Path(server.environment["RAY_TMPDIR"])),
            most_per_s=most_per_s,
            cpu_cores=(samples[-1].total().cpu_s - before.total().cpu_s) / samples[-1].at_s,
        )


def _flat_out(client: Client, seed: int) -> float:
    """Return how many requests a second are answered when workers wait for nothing else."""
    tally, began_s = Tally(), time.monotonic()
    with _load(client, _Queue(orders(seed + 1)), tally):
        time.sleep(FLAT_OUT_S)
    return tally.asked.total() / (time.monotonic() - began_s)


@contextmanager
def _load(client: Client, queue: _Queue, tally: Tally) -> Iterator[None]:
    """Make requests within; those under way at the end are waited for."""
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            order = queue.next(stop)
            if stop.is_set():
                return
            complaint = client.make(order)
            tally.add(order.kind, complaint)
            if complaint:  # a server that is gone would be asked a thousand times
                stop.wait(1)

    with ThreadPoolExecutor(WORKERS) as pool:
        workers = [pool.submit(work) for _ in range(WORKERS)]
        try:
            yield
        finally:
            stop.set()
    for worker in workers:
        worker.result()


def _until_idle(sampler: Sampler, began_s: float) -> tuple[list[Sample], bool]:
    """Return samples until the server is idle, and whether it became so in time."""
    samples = [sampler.sample(time.monotonic() - began_s)]
    until_s, idle = time.monotonic() + IDLE_WITHIN_S, 0
    while idle < IDLE_SAMPLES and time.monotonic() < until_s:
        time.sleep(SAMPLE_EVERY_S)
        samples.append(sampler.sample(time.monotonic() - began_s))
        idle = idle + 1 if is_idle(*samples[-2:]) else 0
    return samples, idle == IDLE_SAMPLES


def warnings_in(folder: Path) -> list[str]:
    """Return the last lines of Serve's log, JSON, that no request of the mix explains.

    Args:
        folder: of Ray's files.
    """
    files = sorted(folder.glob("ray/session_latest/logs/serve/*.log"))
    lines = [line for file in files for line in file.read_text(errors="replace").splitlines()]
    return [line for line in lines if _is_loud(line)][-MAX_WARNINGS:]


def _is_loud(line: str) -> bool:
    try:
        told = json.loads(line)
    except ValueError:  # still being written
        return False
    if not isinstance(told, dict):
        return False
    return told.get("levelname") in LOUD or told.get("outcome", "ok") not in EXPECTED
