"""One server for all tests of this folder: `serve run serve_config.yaml`, as a user starts it."""

import io
import os
import re
import wave
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from app.client.server import LocalServer
from app.demo.run import demo_speech
from app.serving.models import Models
from app.serving.stage import Stage
from app.settings import AppArgs
from tests.conftest import RAY_TOKEN

EXPORT_SOON = {"RAY_metrics_report_interval_ms": "1000"}
"""Ray exports metrics every ten seconds otherwise, and their tests would wait."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.serve)


@pytest.fixture(scope="session")
def server(root: Path) -> Iterator[LocalServer]:
    config = root / "serve_config.yaml"
    with LocalServer(config, token=RAY_TOKEN, environment=EXPORT_SOON) as started:
        yield started


@pytest.fixture
async def http(server: LocalServer) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url, timeout=120, trust_env=False) as client:
        yield client


@pytest.fixture(scope="session")
def stage(server: LocalServer) -> Iterator[Stage]:
    """Return the session code of the ingress in this process, over the server's own models."""
    import ray
    from ray import serve

    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setitem(os.environ, name, value)
        ray.init(address=ray_address(server), namespace="serve", log_to_driver=False)
        handles = (
            serve.get_deployment_handle(name, "digital-human")
            for name in ("FaceAnalyzer", "PortraitAnimator", "LipSync")
        )
        yield Stage(AppArgs(), Models(*handles))
        ray.shutdown()


def ray_address(server: LocalServer) -> str:
    """Return where the server's own Ray is, although others may run on this machine."""
    words = (word for process in server.processes() for word in process.cmdline())
    return next(
        word.partition("=")[2] for word in words if re.match(r"--gcs-address=[\d.]+:\d+$", word)
    )


def png(pixels: NDArray[np.uint8]) -> bytes:
    _, encoded = cv2.imencode(".png", pixels[:, :, ::-1])
    return encoded.tobytes()


def wav(samples: NDArray[np.int16], rate_hz: int = 16_000) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate_hz)
        out.writeframes(samples.tobytes())
    return file.getvalue()


def spoken(seconds: float) -> bytes:
    """Return real speech of a length: the demo's recording, repeated."""
    import soundfile

    samples, rate_hz = soundfile.read(io.BytesIO(demo_speech()), dtype="int16")
    return wav(np.resize(samples, round(seconds * rate_hz)), rate_hz)


@pytest.fixture(scope="session")
def portrait(astronaut: NDArray[np.uint8]) -> bytes:
    return png(astronaut)
