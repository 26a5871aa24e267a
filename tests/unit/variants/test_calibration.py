"""Calibration frames are what the variants give their nets."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from app.pipeline.motion import idle_motion
from app.values import FaceMesh, Portrait
from app.variants.calibration import animator_frames, wav2lip_frames
from app.variants.liveportrait.nets import load_nets
from app.weights.seeded import seeded
from tests.fake_face import fake_mesh, fake_portrait

FRAMES = 5


@pytest.fixture(scope="module")
def mesh() -> FaceMesh:
    return fake_mesh((260, 250), 200)


@pytest.fixture(scope="module")
def portrait(mesh: FaceMesh) -> Portrait:
    return fake_portrait(mesh, 520, 500)


def test_wav2lips_frames(portrait: Portrait, mesh: FaceMesh) -> None:
    mel = np.random.default_rng(0).uniform(-4, 4, (FRAMES, 80, 16)).astype(np.float32)
    motion = idle_motion(FRAMES, Fraction(1), seed=1)
    faces, speech = wav2lip_frames(portrait, mesh, motion, mel)
    assert (faces.shape, faces.dtype) == ((FRAMES, 96, 96, 3), torch.uint8)
    assert torch.equal(speech, torch.from_numpy(mel))
    assert not torch.equal(faces[0], faces[-1])


def test_the_animators_frames(portrait: Portrait, mesh: FaceMesh) -> None:
    motion = idle_motion(FRAMES, Fraction(1), seed=1)
    volume, source, driving = animator_frames(load_nets(seeded, "cpu"), portrait, mesh, motion)
    assert volume.shape == (FRAMES, 32, 16, 64, 64)
    assert source.shape == driving.shape == (FRAMES, 21, 3)
    assert torch.equal(source[0], source[-1])
    assert not torch.equal(driving[0], driving[-1])
