"""What a long recording and a stalled reader cost in memory, over all processes of a server."""

import io
import threading
import time
import wave
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np

from app.client.server import LocalServer
from app.client.talk import talk
from app.demo.run import demo_portrait, demo_speech
from app.media.samples import decode_mono

MB = 1_000_000
MAX_LONG_MB = 100
MAX_STALL_MB = 64
FREED_WITHIN_S = 30
PAUSED_WITHIN_S = 5
PAUSE_WATCH_S = 5


@dataclass(frozen=True, slots=True)
class Long:
    """Ten minutes of audio against ten seconds: peak growth over the idle server, in MB."""

    short_mb: float
    long_mb: float


@dataclass(frozen=True, slots=True)
class Stall:
    """A reader that reads the first kilobytes and no more.

    Attributes:
        clip_mb: size of the whole video.
        growth_mb: peak growth over the idle server while the reader stalls.
        left_mb: growth that is left `FREED_WITHIN_S` after the reader left.
        busy_share: CPU of the replicas between `PAUSED_WITHIN_S` after the stall began and
            `PAUSE_WATCH_S` later, as a share of one core.
    """

    clip_mb: float
    growth_mb: float
    left_mb: float
    busy_share: float


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
    with LocalServer(config, environment=environment) as server:
        photo, options = demo_portrait(), {"size": "256"}
        talk(server.url, photo, demo_speech(), options)
        peaks = []
        for length_s in (10.0, seconds):
            idle = server.memory_bytes()
            peak = Peak(server)
            with peak.watch():
                talk(server.url, photo, spoken(length_s), options)
            peaks.append((peak.bytes - idle) / MB)
    return Long(*peaks)


def measure_stall(config: Path, seconds: float, environment: Mapping[str, str]) -> Stall:
    """Return what a stalled reader of a video of `seconds` costs, and what it leaves behind."""
    with LocalServer(config, environment=environment) as server:
        photo, options = demo_portrait(), {"size": "512"}
        talk(server.url, photo, demo_speech(), options)
        clip = talk(server.url, photo, spoken(seconds), options)
        time.sleep(5)
        idle = server.memory_bytes()
        peak = Peak(server)
        files = {"portrait": photo, "audio": spoken(seconds)}
        with (
            peak.watch(),
            httpx.Client(base_url=server.url, timeout=120, trust_env=False) as client,
            client.stream("POST", "/v1/talk", files=files, data=options) as answer,
        ):
            next(answer.iter_raw(4096))
            time.sleep(PAUSED_WITHIN_S)
            busy_from_s = server.cpu_s()
            time.sleep(PAUSE_WATCH_S)
            busy_s = server.cpu_s() - busy_from_s
            time.sleep(max(0.0, clip.total_s - PAUSED_WITHIN_S - PAUSE_WATCH_S))
        time.sleep(FREED_WITHIN_S)
        left = server.memory_bytes() - idle
    return Stall(
        clip_mb=len(clip.video) / MB,
        growth_mb=(peak.bytes - idle) / MB,
        left_mb=left / MB,
        busy_share=busy_s / PAUSE_WATCH_S,
    )


def spoken(seconds: float) -> bytes:
    """Return a WAV of the demo's speech, repeated up to a length."""
    samples, rate_hz = decode_mono(demo_speech())
    pcm = (np.resize(samples, round(seconds * rate_hz)) * 32767).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate_hz)
        out.writeframes(pcm.tobytes())
    return file.getvalue()
