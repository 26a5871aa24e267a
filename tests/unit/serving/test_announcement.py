"""The line in which a replica says what it serves."""

import logging
from collections.abc import Iterator
from dataclasses import replace

import pytest

from app.serving.announcement import SLOW, announce, announcement
from app.serving.face import CARD
from app.serving.lips import LipSync
from app.serving.portrait import PortraitAnimator
from app.values import ModelCard
from app.variants.config import LipsConfig, PortraitConfig
from app.weights.config import WeightsConfig
from app.weights.manifest import MANIFEST


def card(role: str, variant: str, licence: str, weights: str = "published") -> ModelCard:
    return ModelCard(role, variant, "eager", "fp32", licence, False, "cuda", weights)


@pytest.fixture
def log(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> Iterator[pytest.LogCaptureFixture]:
    """Return the capture of Serve's logger; whether it hands lines on depends on earlier tests."""
    logger = logging.getLogger("ray.serve")
    monkeypatch.setattr(logger, "propagate", False)
    with caplog.at_level(logging.INFO, logger.name):
        logger.addHandler(caplog.handler)
        yield caplog
        logger.removeHandler(caplog.handler)


def test_published_weights_come_with_their_licence_and_author() -> None:
    assert announcement("PortraitAnimator", card("portrait", "liveportrait", "MIT")) == (
        "PortraitAnimator serves liveportrait on cuda, weights published, licence MIT: "
        "(c) 2024 Kuaishou Visual Generation and Interaction Center."
    )
    assert announcement("FaceAnalyzer", CARD) == (
        "FaceAnalyzer serves mediapipe on cpu, weights published, licence Apache-2.0: "
        "Google (MediaPipe)."
    )


def test_weights_for_research_only_say_so() -> None:
    line = announcement("LipSync", card("lips", "wav2lip", "LicenseRef-Wav2Lip"))
    assert line.startswith("LipSync serves wav2lip on cuda, weights published, licence LicenseRef-")
    assert "personal, research and non-commercial use only" in line


@pytest.mark.parametrize("weights", ["seeded", "embedded"])
def test_weights_of_our_own_name_no_one_else(weights: str) -> None:
    line = announcement("LipSync", card("lips", "wav2lip", "Apache-2.0", weights))
    assert line == f"LipSync serves wav2lip on cuda, weights {weights}, licence Apache-2.0"


def test_files_of_a_group_share_licence_and_terms() -> None:
    said = {(file.group, file.licence, file.author, file.terms) for file in MANIFEST}
    assert len(said) == len({group for group, *_ in said})


async def test_each_replica_says_it_once(log: pytest.LogCaptureFixture) -> None:
    animator = PortraitAnimator(PortraitConfig(device="cpu"), WeightsConfig())
    lip_sync = LipSync(LipsConfig(device="cpu"), WeightsConfig())
    for _ in range(2):
        await animator.ready()
        await lip_sync.ready()
    assert [record.getMessage() for record in log.records] == [
        "PortraitAnimator serves puppet on cpu, weights embedded, licence Apache-2.0",
        "LipSync serves viseme on cpu, weights embedded, licence Apache-2.0",
    ]


def test_liveportrait_on_a_cpu_says_which_settings_it_needs(
    log: pytest.LogCaptureFixture,
) -> None:
    on_gpu = card("portrait", "liveportrait", "MIT")
    for each in (on_gpu, replace(on_gpu, device="cpu"), card("lips", "wav2lip", "none")):
        announce("Replica", each)
    warnings = [record.message for record in log.records if record.levelname == "WARNING"]
    assert warnings == [SLOW]
