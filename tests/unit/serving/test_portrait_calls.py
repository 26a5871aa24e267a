"""A run of the portrait model whose sitters are not all known any more."""

import pytest

from app.pipeline.motion import still_motion
from app.serving.batching import Later
from app.serving.calls import AnimateCall, Sitter, UnknownSitter
from app.serving.portrait import PortraitAnimator
from app.values import FrameGroup
from app.variants.config import PortraitConfig
from app.weights.config import WeightsConfig
from tests.fake_face import fake_mesh, fake_portrait


@pytest.fixture
def animator() -> PortraitAnimator:
    return PortraitAnimator(PortraitConfig(), WeightsConfig())


@pytest.fixture
def sitter() -> Sitter:
    mesh = fake_mesh((32, 32), 40)
    return Sitter("known", fake_portrait(mesh, 64, 64), mesh)


def test_one_forgotten_sitter_costs_the_others_of_its_run_nothing(
    animator: PortraitAnimator, sitter: Sitter
) -> None:
    known = AnimateCall("known", None, still_motion(2))
    gone = AnimateCall("gone", None, still_motion(1))
    answers = animator._work([(known, sitter), (gone, UnknownSitter()), (known, sitter)])
    assert [type(answer) for answer in answers] == [Later, UnknownSitter, Later]
    for answer in answers[::2]:
        assert isinstance(answer, Later)
        frames = answer.finish()
        assert isinstance(frames, FrameGroup)
        assert frames.pixels.shape == (2, 64, 64, 3)
