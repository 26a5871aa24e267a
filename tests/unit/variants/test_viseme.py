from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from app.demo.run import demo_speech
from app.media.audio import decode_speech
from app.media.config import MediaConfig
from app.media.mel import speech_windows
from app.runtime.eager import EagerEngine
from app.runtime.embedded import viseme_net
from app.values import LipGroup
from app.variants.config import MEL_WINDOWS
from app.variants.viseme import Viseme
from tests.unit.models import mouths

if TYPE_CHECKING:
    from app.variants.lips import LipModel


class CountingEngine:
    """Returns its crops, each one level brighter, and remembers the batches it saw."""

    backend = "counting"
    precision = "fp32"
    device = torch.device("cpu")

    def __init__(self) -> None:
        self.batches: list[int] = []

    def run(self, *inputs: torch.Tensor) -> torch.Tensor:
        self.batches.append(len(inputs[0]))
        return inputs[0] + 1


def group(frames: int, level: float = -4.0) -> LipGroup:
    mel = np.full((frames, 80, 32), level, np.float32)
    return LipGroup(
        crops=np.stack([mouths.crop()] * frames),
        points=np.stack([mouths.mesh()] * frames),
        mel=mel,
    )


def test_silence_leaves_closed_mouths_alone() -> None:
    item = group(2)
    (painted,) = Viseme().paint([item])
    assert painted.dtype == np.uint8
    assert (painted == item.crops).all()


def test_items_share_one_run_and_come_back_apart() -> None:
    engine = CountingEngine()
    model: LipModel = Viseme(engine)
    items = [group(3), group(1), group(2)]
    painted = model.paint(items)
    assert engine.batches == [6]
    assert [len(crops) for crops in painted] == [3, 1, 2]
    for crops, item in zip(painted, items, strict=True):
        assert (crops == item.crops + 1).all()


@pytest.mark.parametrize("items", [[], [group(1)]], ids=["none", "one"])
def test_as_many_answers_as_items(items: list[LipGroup]) -> None:
    assert len(Viseme().paint(items)) == len(items)


def test_an_item_does_not_depend_on_the_others() -> None:
    speaking = LipGroup(
        group(2).crops,
        group(2).points,
        np.random.default_rng(5).uniform(-4, 4, (2, 80, 32)).astype(np.float32),
    )
    model = Viseme()
    (alone,) = model.paint([speaking])
    among = model.paint([group(3), speaking, group(1)])[1]
    assert np.abs(alone.astype(int) - among).max() <= 1


def spoken(frames: int) -> NDArray[np.float32]:
    """Return the windows of frames in the middle of the demo's speech."""
    speech = decode_speech(demo_speech(), MediaConfig())
    window = MEL_WINDOWS["viseme"]
    return speech_windows(
        speech.levels, speech.gain_db, Fraction(25), 50, 50 + frames, window=window
    )


def test_crops_of_several_sides_come_back_apart() -> None:
    large = LipGroup(group(3).crops, group(3).points, spoken(3))
    points = large.points * np.float32(0.5)
    small = LipGroup(large.crops[:, ::2, ::2].copy(), points, large.mel)
    model = Viseme()
    painted = model.paint([small, large, small])
    assert [crops.shape[1] for crops in painted] == [128, 256, 128]
    (alone,) = model.paint([small])
    assert (painted[0] == painted[2]).all()
    assert np.abs(painted[0].astype(int) - alone).max() <= 1
    assert (alone != small.crops).any()


def test_chunks_change_nothing() -> None:
    items = [
        LipGroup(
            group(5).crops,
            group(5).points,
            np.random.default_rng(6).uniform(-4, 4, (5, 80, 32)).astype(np.float32),
        ),
        group(2),
    ]
    whole = Viseme(EagerEngine(viseme_net())).paint(items)
    chunked = Viseme(EagerEngine(viseme_net(), chunk_frames=2)).paint(items)
    for one, other in zip(whole, chunked, strict=True):
        assert (one == other).all()


def test_card_names_the_embedded_variant() -> None:
    card = Viseme().card
    assert (card.role, card.variant, card.embedded, card.backend) == (
        "lips",
        "viseme",
        True,
        "eager",
    )
    assert Viseme.crop_px == 256
