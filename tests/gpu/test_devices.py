"""The variants draw on a GPU what they draw on the CPU: `python -m pytest tests/gpu`.

Bounds, of 255: rounding makes a channel differ by 1 where the CPU's value lies next to a half, and
an edge that moves by a rounding error makes a few differ by more. Both are seldom.
"""

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from app.values import LipGroup, Motion
from app.variants.device import choose_device
from app.variants.puppet import Puppet
from app.variants.viseme import Viseme
from tests.fake_face import fake_mesh, fake_portrait
from tests.unit.models import mouths

if TYPE_CHECKING:
    from app.values import FrameGroup

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA GPU here"),
]

MEAN_LEVELS, MAX_LEVELS = 0.25, 3
POINTS_PX = 0.01


def assert_alike(drawn: NDArray[np.uint8], expected: NDArray[np.uint8]) -> None:
    assert drawn.dtype == np.uint8
    assert drawn.shape == expected.shape
    difference = np.abs(drawn.astype(np.int16) - expected)
    print(f"mean {difference.mean():.4f}, largest {difference.max()} of 255")
    assert difference.mean() <= MEAN_LEVELS
    assert difference.max() <= MAX_LEVELS


def animated(puppet: Puppet) -> "list[FrameGroup]":
    """Return frames of three portraits, two of them of one size, at random poses."""
    random = np.random.default_rng(1)
    items = []
    for centre, height_px, frames in (
        ((280, 260), 210, 40),
        ((250, 260), 150, 5),
        ((280, 260), 210, 3),
    ):
        mesh = fake_mesh(centre, height_px)
        pose = random.normal(0, 5, (frames, 3)).astype(np.float32)
        closure = random.random((frames, 2)).astype(np.float32)
        prepared = puppet.prepare(fake_portrait(mesh, 560, 520), mesh)
        items.append((prepared, Motion(pose, closure)))
    return puppet.animate(items)


def spoken_mouths() -> list[LipGroup]:
    """Return mouths that are shut and open in the photo, after noise and after silence."""
    random = np.random.default_rng(2)
    gaps = [0.0, 8.0, 16.0] * 3
    crops = np.stack([mouths.crop(gap) for gap in gaps])
    points = np.stack([mouths.mesh(gap) for gap in gaps])
    loud = random.uniform(-4, 4, (len(gaps), 80, 32)).astype(np.float32)
    return [LipGroup(crops, points, mel) for mel in (loud, np.full_like(loud, -4))]


def test_auto_takes_the_gpu() -> None:
    assert choose_device("auto", "portrait.device") == "cuda"


def test_the_puppets_frames() -> None:
    on_gpu = Puppet(device="cuda")
    assert on_gpu.card.device == "cuda"
    for drawn, expected in zip(animated(on_gpu), animated(Puppet()), strict=True):
        assert_alike(drawn.pixels, expected.pixels)
        assert np.abs(drawn.points - expected.points).max() <= POINTS_PX


def test_the_puppets_photos_stay_on_the_gpu() -> None:
    mesh = fake_mesh((280, 260), 210)
    prepared = Puppet(device="cuda").prepare(fake_portrait(mesh, 560, 520), mesh)
    assert {tensor.device.type for tensor in prepared.tensors} == {"cuda"}


def test_the_visemes_mouths() -> None:
    items = spoken_mouths()
    on_gpu = Viseme(device="cuda")
    assert on_gpu.card.device == "cuda"
    for drawn, expected in zip(on_gpu.paint(items), Viseme().paint(items), strict=True):
        assert_alike(drawn, expected)
