"""The published nets answer on a GPU, without TF32, what the published code answered on a CPU."""

from collections.abc import Iterator, Mapping, Sequence

import pytest
import torch
from torch import Tensor, nn

from app.models.folding import folded
from app.models.renaming import load_official
from app.models.wav2lip.generator import Wav2Lip
from app.models.wav2lip.state_dict import WAV2LIP
from tests import parity
from tests.unit.models.liveportrait.published import filled, inputs, weights

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA GPU here"),
]

FACTOR = 3
"""Other kernels add up in another order than the CPU's."""


@pytest.fixture(autouse=True)
def exact() -> Iterator[None]:
    """Compute in float32 proper."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    with torch.no_grad():
        yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def assert_published(fixture: str, outputs: Mapping[str, Tensor]) -> None:
    arrays = {key: output.cpu().numpy() for key, output in outputs.items()}
    for row in parity.Fixture(fixture).compare(arrays, FACTOR):
        print(f"{fixture} {row.output}: {row.error:.2g}, allowed {row.allowed:.2g}")
        assert row.ok, row


def on_gpu(net: nn.Module, given: Mapping[str, Tensor], keys: Sequence[str]) -> object:
    return folded(net).cuda()(*(given[key].cuda() for key in keys))


def test_appearance() -> None:
    name = "appearance_feature_extractor"
    volume = on_gpu(filled(name), inputs(name), ["image"])
    assert isinstance(volume, Tensor)
    assert_published(name, {"feature_3d": volume})


def test_motion() -> None:
    name = "motion_extractor"
    motion = on_gpu(filled(name), inputs(name), ["image"])
    assert_published(name, motion._asdict())  # type: ignore[attr-defined]


def test_warping() -> None:
    name = "warping_module"
    warped = on_gpu(filled(name), inputs(name), ["feature_3d", "kp_source", "kp_driving"])
    assert_published(name, {"out": warped.feature})  # type: ignore[attr-defined]


def test_decoder() -> None:
    name = "spade_generator"
    frame = on_gpu(filled(name), inputs(name), ["feature"])
    assert isinstance(frame, Tensor)
    assert_published(name, {"frame": frame})


def test_wav2lip() -> None:
    net = Wav2Lip()
    load_official(net, WAV2LIP, weights("wav2lip"))
    frame = on_gpu(net.eval(), inputs("wav2lip"), ["audio", "face"])
    assert isinstance(frame, Tensor)
    assert_published("wav2lip", {"frame": frame})
