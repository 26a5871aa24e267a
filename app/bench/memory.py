"""What a long recording and a stalled reader cost in memory, over all processes of a server."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from app.bench.keyed import keyed
from app.bench.speech import stretched
from app.client.server import LocalServer
from app.client.talk import talk
from app.demo.run import demo_portrait, demo_speech

MB = 1_000_000
MAX_LONG_MB = 100
MAX_STALL_MB = 64
FREED_WITHIN_S = 30
PAUSED_WITHIN_S = 5
REST_S = 5
MAX_LEFT_MB = 10
"""What Ray's own processes grow by in the minutes that a stall takes."""
METRICS_EVERY_S = 12
"""Ray exports metrics every ten seconds."""
BUSY_CORES = 0.6
"""An idle server takes 0.2 of a core, a rendering one 1.5 where it gets them."""
FRAMES = "digital_human_frames_total{"
SHORT_S = 10.0
WARM_UPS = 3


@dataclass(frozen=True, slots=True)
class Long:
    """Ten minutes of audio against ten seconds: peaks over the same idle server, in MB."""

    short_mb: float
    long_mb: float


@dataclass(frozen=True, slots=True)
class Stall:
    """A reader that reads the first kilobytes and no more.

    Attributes:
        clip_mb: size of the whole video.
        clip_frames: frames of it.
        growth_mb: peak growth over the idle server while the reader stalls.
        left_mb: growth that is left `FREED_WITHIN_S` after the reader left.
        frames: rendered while nobody read.
        busy_s: seconds into the stall when more than idling was last seen.
    """

    clip_mb: float
    clip_frames: int
    growth_mb: float
    left_mb: float
    frames: int
    busy_s: float

    @property
    def paused_after_s(self) -> float | None:
        """Seconds into the stall after which nothing more was rendered; None if all was."""
        return self.busy_s if self.frames < self.clip_frames else None


class Peak:
    """Samples a server's memory in the background and keeps the highest."""

    def __init__(self, server: LocalServer) -> None:
        self._server = server
        self._stopped = threading.Event()
        self.bytes = server.memory_bytes()

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Sample within."""
        thread = threading.Thread(target=self._sample, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            thread.join()

    def _sample(self) -> None:
        while not self._stopped.wait(0.2):
            self.bytes = max(self.bytes, self._server.memory_bytes())


def measure_long(config: Path, seconds: float, environment: Mapping[str, str]) -> Long:
    """Return the peaks for ten seconds and for `seconds` of audio, on one warm server."""
    with (
        keyed(config) as (with_key, key),
        LocalServer(with_key, environment=environment) as server,
    ):
        photo, options = demo_portrait(), {"size": "256"}
        for _ in range(WARM_UPS):  # until every batch size has run once
            talk(server.url, photo, spoken(SHORT_S), options, key)
        idle = server.memory_bytes()
        peaks = []
        for length_s in (SHORT_S, seconds):
            peak = Peak(server)
            with peak.watch():
                talk(server.url, photo, spoken(length_s), options, key)
            peaks.append((peak.bytes - idle) / MB)
    return Long(*peaks)


def measure_stall(config: Path, seconds: float, environment: Mapping[str, str]) -> Stall:
    """Return what a stalled reader of a video of `seconds` costs, and what it leaves behind."""
    with (
        keyed(config) as (with_key, key),
        LocalServer(with_key, environment=environment) as server,
    ):
        photo, options = demo_portrait(), {"size": "512"}
        for _ in range(WARM_UPS):
            clip = talk(server.url, photo, spoken(seconds), options, key)
        time.sleep(METRICS_EVERY_S)
        idle = server.memory_bytes()
        peak = Peak(server)
        files = {"portrait": photo, "audio": spoken(seconds)}
        headers = {"authorization": f"Bearer {key}"}
        with (
            peak.watch(),
            httpx.Client(
                base_url=server.url, headers=headers, timeout=120, trust_env=False
            ) as client,
        ):
            before = _frames(client)
            with client.stream("POST", "/v1/talk", files=files, data=options) as answer:
                answer.raise_for_status()
                reader = answer.iter_raw(4096)  # kept: when it goes, httpx hangs up
                next(reader)
                busy_s = _watch(server, clip.total_s + REST_S)
                time.sleep(METRICS_EVERY_S)
                frames = _frames(client) - before
                del reader
        time.sleep(FREED_WITHIN_S)
        left = server.memory_bytes() - idle
    return Stall(
        clip_mb=len(clip.video) / MB,
        clip_frames=int(clip.headers["x-digital-human-frames"]),
        growth_mb=(peak.bytes - idle) / MB,
        left_mb=left / MB,
        frames=frames,
        busy_s=busy_s,
    )


def _watch(server: LocalServer, seconds: float) -> float:
    """Watch for some seconds, and return when the server was last seen to do more than idle."""
    began_s, busy_s = time.monotonic(), 0.0
    while (at_s := time.monotonic() - began_s) < seconds:
        before_s = server.cpu_s()
        time.sleep(1)
        if server.cpu_s() - before_s > BUSY_CORES:
            busy_s = at_s + 1
    return busy_s


def _frames(client: httpx.Client) -> int:
    """Return how many frames the server has encoded since it started."""
    lines = client.get("/metrics").raise_for_status().text.splitlines()
    return round(sum(float(line.split()[-1]) for line in lines if line.startswith(FRAMES)))


def spoken(seconds: float) -> bytes:
    """Return a WAV of the demo's speech, repeated up to a length."""
    return stretched(demo_speech(), seconds)
