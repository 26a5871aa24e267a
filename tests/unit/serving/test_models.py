"""The model deployments' classes, outside Ray: where they run, and what they say of it."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from app.errors import NotReady
from app.face.config import FaceConfig
from app.face.nets import FaceNets
from app.pipeline.motion import still_motion
from app.serving import face, gpus, lips, portrait
from app.serving.batching import Later
from app.serving.calls import AnimateCall, Sitter, UnknownSitter
from app.serving.face import FaceAnalyzer
from app.serving.lips import LipSync
from app.serving.portrait import PortraitAnimator
from app.values import LipGroup, ModelCard
from app.variants.config import LipsConfig, PortraitConfig
from app.weights.config import WeightsConfig


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.usefixtures("no_gpu")
async def test_without_a_gpu_the_cards_say_cpu() -> None:
    cards = [
        await PortraitAnimator(PortraitConfig(), WeightsConfig()).ready(),
        await LipSync(LipsConfig(), WeightsConfig()).ready(),
    ]
    assert [(card.role, card.device) for card in cards] == [("portrait", "cpu"), ("lips", "cpu")]


@pytest.mark.usefixtures("no_gpu")
async def test_a_device_that_is_not_there_fails_readiness_and_not_the_constructor() -> None:
    animator, lip_sync = (
        PortraitAnimator(PortraitConfig(device="cuda"), WeightsConfig()),
        LipSync(LipsConfig(device="cuda"), WeightsConfig()),
    )
    with pytest.raises(NotReady, match=r"portrait\.device is cuda"):
        await animator.ready()
    with pytest.raises(NotReady, match=r"lips\.device is cuda"):
        await lip_sync.ready()
    group = LipGroup(
        np.zeros((1, 256, 256, 3), np.uint8),
        np.zeros((1, 478, 2), np.float32),
        np.zeros((1, 80, 16), np.float32),
    )
    with pytest.raises(NotReady):
        lip_sync._paint([group])


@pytest.mark.usefixtures("no_gpu")
async def test_a_replica_warns_once_of_gpus_that_it_does_not_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    warned: list[str] = []
    monkeypatch.setattr(gpus, "gpus_here", lambda: 1)
    monkeypatch.setattr(gpus.logger, "warning", warned.append)
    animator, lip_sync = (
        PortraitAnimator(PortraitConfig(), WeightsConfig()),
        LipSync(LipsConfig(), WeightsConfig()),
    )
    for _ in range(2):
        await animator.ready()
        await lip_sync.ready()
    assert [line.split()[0] for line in warned] == ["PortraitAnimator", "LipSync"]


class Model:
    """Stands for any of the models."""

    card = ModelCard("any", "fake", "none", "fp32", "Apache-2.0", embedded=True)

    def analyze(self, pixels: object) -> list[object]:
        return []

    def size_bytes(self, prepared: str) -> int:
        return 1

    def prepare(self, portrait: object, mesh: object) -> str:
        return f"{portrait} is prepared"

    def render(self, items: Sequence[tuple[str, object]]) -> list[Callable[[], str]]:
        return [partial(str, prepared) for prepared, _ in items]


def refused(*args: object) -> None:
    raise NotReady("The device is not there yet.")


@pytest.mark.parametrize(
    ("room", "maker", "deployment"),
    [
        (portrait, "_make", lambda: PortraitAnimator(PortraitConfig(), WeightsConfig())),
        (lips, "_make", lambda: LipSync(LipsConfig(), WeightsConfig())),
        (face, "Analyzer", lambda: FaceAnalyzer(FaceConfig(), WeightsConfig())),
    ],
    ids=["portrait", "lips", "face"],
)
def test_calls_at_once_load_a_model_once(
    monkeypatch: pytest.MonkeyPatch, room: ModuleType, maker: str, deployment: Callable[[], Any]
) -> None:
    monkeypatch.setattr(FaceNets, "locate", lambda path: None)
    monkeypatch.setattr(room, maker, refused)
    replica = deployment()  # which does not load, or could not
    made: list[Model] = []

    def make(*args: object) -> Model:
        model = Model()
        made.append(model)
        time.sleep(0.05)
        return model

    monkeypatch.setattr(room, maker, make)
    threads = [threading.Thread(target=replica._load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


async def test_a_sitter_that_made_room_is_told_alone_and_its_run_stays_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(portrait, "_make", lambda *args: Model())
    animator = PortraitAnimator(PortraitConfig(), WeightsConfig())
    photo: Any = "a photo"  # the model of this test looks at none
    ways: list[tuple[str, Any]] = [
        ("here", Sitter("here", photo, photo)),
        ("gone", UnknownSitter()),
        ("lost", asyncio.CancelledError()),
        ("here", UnknownSitter()),
    ]
    first, gone, lost, again = animator._work(
        [(AnimateCall(key, None, still_motion(1)), sitter) for key, sitter in ways]
    )
    assert isinstance(gone, UnknownSitter)
    assert isinstance(lost, NotReady)
    for answer in (first, again):
        assert isinstance(answer, Later)
        assert str(answer.finish()) == "a photo is prepared"
