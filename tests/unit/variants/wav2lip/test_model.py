"""The lip-sync role played by Wav2Lip, with made-up weights."""

import numpy as np
import pytest
import torch

from app.models.wav2lip.painter import Painter
from app.runtime.eager import EagerEngine
from app.runtime.engine import Engine
from app.values import LipGroup
from app.variants.wav2lip.crop import to_faces, to_inputs
from app.variants.wav2lip.model import Wav2LipModel, wav2lip_engine
from app.weights.seeded import seeded


@pytest.fixture(scope="module")
def engine() -> Engine:
    return wav2lip_engine(seeded("wav2lip"), "cpu")


def group(seed: int, frames: int) -> LipGroup:
    random = np.random.default_rng(seed)
    return LipGroup(
        crops=random.integers(0, 256, (frames, 96, 96, 3), np.uint8),
        points=np.zeros((frames, 478, 2), np.float32),
        mel=random.uniform(-4, 4, (frames, 80, 16)).astype(np.float32),
    )


def test_pixels_go_in_and_out_as_the_published_script_converts_them(engine: Engine) -> None:
    model, one = Wav2LipModel(engine, "seeded", "Apache-2.0"), group(0, 2)
    (painted,) = model.paint([one])
    assert isinstance(engine, EagerEngine)
    painter = engine._net
    assert isinstance(painter, Painter)
    with torch.inference_mode():
        answers = painter.net(
            torch.from_numpy(one.mel[:, None]), torch.from_numpy(to_inputs(one.crops))
        )
    difference = painted.astype(int) - to_faces(answers.numpy())
    assert np.abs(difference).max() <= 1
    assert painted.std() > 5


def test_sessions_in_one_run_are_painted_as_alone(engine: Engine) -> None:
    model = Wav2LipModel(engine, "seeded", "Apache-2.0")
    groups = [group(1, 3), group(2, 1)]
    together = model.paint(groups)
    for one, painted in zip(groups, together, strict=True):
        (alone,) = model.paint([one])
        assert np.abs(painted.astype(int) - alone).max() <= 1
    assert np.abs(together[0][:1].astype(int) - together[1]).mean() > 1


def test_a_card_says_that_the_weights_are_made_up(engine: Engine) -> None:
    card = Wav2LipModel(engine, "seeded", "Apache-2.0").card
    assert (card.variant, card.weights, card.embedded) == ("wav2lip", "seeded", False)
