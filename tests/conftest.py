"""Fixtures that every test may use."""

import os
import secrets
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray

from app.client.server import ray_environment

# Ray reads these when it is first imported, so they are set before any test module is.
RAY_TOKEN = secrets.token_hex(32)
os.environ.update(ray_environment(RAY_TOKEN))
# OpenMP reads this when torch is imported: on busy cores, threads that spin while they wait take
# up to five times the CPU.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# A check of a change must not depend on luck; by hand, hypothesis keeps looking elsewhere.
settings.register_profile("ci", derandomize=True)
settings.load_profile("ci" if "CI" in os.environ else "default")

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the top of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_media() -> Path:
    """Return the folder of real portraits and speech beside the checkout; skip without it."""
    folder = ROOT.parent / "shared" / "media"
    if not folder.is_dir():
        pytest.skip("no ../shared/media beside this checkout")
    return folder


@pytest.fixture(scope="session")
def astronaut() -> NDArray[np.uint8]:
    """Return (512, 512, 3) uint8 RGB: one smiling face, frontal, NASA, public domain."""
    from skimage import data

    pixels: NDArray[np.uint8] = data.astronaut()  # type: ignore[no-untyped-call]
    return pixels
