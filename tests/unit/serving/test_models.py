"""The two model deployments' classes, outside Ray: where they run, and what they say of it."""

import numpy as np
import pytest
import torch

from app.errors import NotReady
from app.serving import gpus
from app.serving.lips import LipSync
from app.serving.portrait import PortraitAnimator
from app.values import LipGroup
from app.variants.config import LipsConfig, PortraitConfig


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.usefixtures("no_gpu")
async def test_without_a_gpu_the_cards_say_cpu() -> None:
    cards = [await PortraitAnimator(PortraitConfig()).ready(), await LipSync(LipsConfig()).ready()]
    assert [(card.role, card.device) for card in cards] == [("portrait", "cpu"), ("lips", "cpu")]


@pytest.mark.usefixtures("no_gpu")
async def test_a_device_that_is_not_there_fails_readiness_and_not_the_constructor() -> None:
    animator, lips = (
        PortraitAnimator(PortraitConfig(device="cuda")),
        LipSync(LipsConfig(device="cuda")),
    )
    with pytest.raises(NotReady, match=r"portrait\.device is cuda"):
        await animator.ready()
    with pytest.raises(NotReady, match=r"lips\.device is cuda"):
        await lips.ready()
    group = LipGroup(
        np.zeros((1, 256, 256, 3), np.uint8),
        np.zeros((1, 478, 2), np.float32),
        np.zeros((1, 80, 16), np.float32),
    )
    with pytest.raises(NotReady):
        lips._paint([group])


@pytest.mark.usefixtures("no_gpu")
async def test_a_replica_warns_once_of_gpus_that_it_does_not_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    warned: list[str] = []
    monkeypatch.setattr(gpus, "gpus_here", lambda: 1)
    monkeypatch.setattr(gpus.logger, "warning", warned.append)
    animator, lips = PortraitAnimator(PortraitConfig()), LipSync(LipsConfig())
    for _ in range(2):
        await animator.ready()
        await lips.ready()
    assert [line.split()[0] for line in warned] == ["PortraitAnimator", "LipSync"]
