"""Each net answers what the published one does, as loaded and folded, alone and in a batch.

The two heavy nets run once on the fixture's batch of two, folded; what folding changes in them is
tested block by block in `test_folding.py`.
"""

from collections.abc import Iterator, Sequence

import pytest
import torch
from torch import Tensor, nn

from app.models.folding import folded
from app.models.liveportrait.warping import Warped
from tests.unit.models.liveportrait.published import S, assert_published, filled, inputs

FOLDED = pytest.mark.parametrize("fold", [False, True], ids=["as loaded", "folded"])


@pytest.fixture(autouse=True, scope="module")
def no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


def net(module: str, fold: bool = True) -> nn.Module:
    return folded(filled(module)) if fold else filled(module)


@FOLDED
def test_appearance_is_the_published_one(fold: bool) -> None:
    fixture = "appearance_feature_extractor"
    volume = net(fixture, fold)(inputs(fixture)["image"])
    assert_published(fixture, {"feature_3d": volume})


@FOLDED
def test_motion_is_the_published_one(fold: bool) -> None:
    fixture = "motion_extractor"
    motion = net(fixture, fold)(inputs(fixture)["image"])
    assert_published(fixture, motion._asdict())


def test_stitching_and_retargeting_are_the_published_ones() -> None:
    nets = {"stitching": "shoulder", "lip": "mouth", "eye": "eye"}
    given = inputs("stitching_retargeting")
    outputs = {key: filled(f"{S}/retarget_{name}")(given[key]) for key, name in nets.items()}
    assert_published("stitching_retargeting", outputs)


@pytest.fixture(scope="module")
def warping() -> nn.Module:
    return net("warping_module")


@pytest.fixture(scope="module")
def warping_inputs() -> list[Tensor]:
    given = inputs("warping_module")
    return [given[key] for key in ("feature_3d", "kp_source", "kp_driving")]


@pytest.fixture(scope="module")
def warped(warping: nn.Module, warping_inputs: Sequence[Tensor]) -> Warped:
    with torch.no_grad():
        result: Warped = warping(*warping_inputs)
    return result


@pytest.fixture(scope="module")
def decoder() -> nn.Module:
    return net("spade_generator")


@pytest.fixture(scope="module")
def frames(decoder: nn.Module) -> Tensor:
    with torch.no_grad():
        result: Tensor = decoder(inputs("spade_generator")["feature"])
    return result


def test_warping_is_the_published_one(warped: Warped) -> None:
    outputs = {
        "out": warped.feature,
        "deformation": warped.deformation,
        "occlusion_map": warped.occlusion,
        "mask": warped.mask,
    }
    assert_published("warping_module", outputs)


def test_decoder_is_the_published_one(frames: Tensor) -> None:
    assert_published("spade_generator", {"frame": frames})


def outputs(net: nn.Module, given: Sequence[Tensor]) -> tuple[Tensor, ...]:
    answer = net(*given)
    return (answer,) if isinstance(answer, Tensor) else answer


def assert_same_in_a_batch(net: nn.Module, given: Sequence[Tensor], allowed: float) -> None:
    """Compare one batch of two with each alone; the two are far apart."""
    together = outputs(net, given)
    for i in range(2):
        alone = outputs(net, [of[i : i + 1] for of in given])
        assert float((together[0][1 - i] - alone[0][0]).abs().max()) > 1000 * allowed
        for both, one in zip(together, alone, strict=True):
            assert both[i : i + 1].shape == one.shape
            assert float((both[i] - one[0]).abs().max()) <= allowed


def test_a_batch_of_two_answers_as_each_alone() -> None:
    """On inputs of a quarter of the size and less, as the nets allow."""
    torch.manual_seed(0)
    image = torch.rand(2, 3, 64, 64)
    assert_same_in_a_batch(net("appearance_feature_extractor"), [image], 2e-5)
    assert_same_in_a_batch(net("motion_extractor"), [image], 1e-5)


def test_warping_of_a_batch_answers_as_alone(warping: nn.Module) -> None:
    torch.manual_seed(0)
    points = torch.randn(2, 21, 3) * 0.3
    driving = points + 0.05 * torch.randn(2, 21, 3)
    given = [0.8 * torch.randn(2, 32, 16, 32, 32), points, driving]
    assert_same_in_a_batch(warping, given, 1e-4)


def test_decoding_of_a_batch_answers_as_alone(decoder: nn.Module) -> None:
    torch.manual_seed(0)
    assert_same_in_a_batch(decoder, [0.7 * torch.randn(2, 256, 16, 16)], 2.5e-5)
