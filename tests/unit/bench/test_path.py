"""Models that do nothing hand on arrays of the real size, in the real graph."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import yaml
from ray.serve.schema import ServeDeploySchema

from app.bench.path import idle_config
from app.bench.path_app import IdleLips, IdlePortrait, LipSync, PortraitAnimator, build_path
from app.serving.build import build_app
from app.settings import AppArgs
from app.values import LipGroup, Motion
from tests.fake_face import fake_mesh, fake_portrait

if TYPE_CHECKING:
    from app.values import FaceMesh, Portrait
    from app.variants.lips import LipModel
    from app.variants.portrait import PortraitModel


def test_an_idle_portrait_answers_with_frames_of_its_own_of_the_photos_size() -> None:
    mesh = fake_mesh((64, 64), 80)
    photo = fake_portrait(mesh, 128, 96)
    model: PortraitModel[tuple[Portrait, FaceMesh]] = IdlePortrait()
    prepared = model.prepare(photo, mesh)
    assert model.size_bytes(prepared) == photo.pixels.nbytes
    motion = Motion(np.zeros((8, 3), np.float32), np.zeros((8, 2), np.float32))
    first, second = model.animate([(prepared, motion), (prepared, motion[:2])])
    assert first.pixels.shape == (8, 128, 96, 3)
    assert second.pixels.shape == (2, 128, 96, 3)
    assert first.points.shape == (8, 478, 2)
    assert first.pixels.flags.owndata
    assert all(np.array_equal(frame, photo.pixels) for frame in first.pixels)


def test_idle_lips_answer_with_crops_of_their_own() -> None:
    crops = np.random.default_rng(0).integers(0, 255, (8, 96, 96, 3), np.uint8)
    mel = np.zeros((8, 80, 16), np.float32)
    model: LipModel = IdleLips(96)
    (painted,) = model.paint([LipGroup(crops, np.zeros((8, 478, 2), np.float32), mel)])
    assert np.array_equal(painted, crops)
    assert not np.shares_memory(painted, crops)


def test_only_the_models_differ_from_the_application(root: Path) -> None:
    config = root / "serve_config.yaml"
    with idle_config(config) as path:
        idle, real = (yaml.safe_load(file.read_text()) for file in (path, config))
    ServeDeploySchema.model_validate(idle)
    (application,) = idle["applications"]
    assert application.pop("import_path") == "app.bench.path_app:build_path"
    del real["applications"][0]["import_path"]
    assert idle == real


@pytest.mark.parametrize("build", [build_app, build_path])
def test_both_builders_take_the_same_settings(
    build: Callable[[AppArgs], object],
) -> None:
    assert build(AppArgs()) is not None


def test_the_deployments_keep_their_names() -> None:
    assert PortraitAnimator.__name__ == "PortraitAnimator"
    assert LipSync.__name__ == "LipSync"
