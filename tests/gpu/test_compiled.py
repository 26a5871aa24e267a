"""The compiled engine answers on a GPU what the eager net does in float32."""

import pytest
import torch

from app.models.folding import folded
from app.runtime.accuracy import snr_db
from app.runtime.choice import float32_proper
from app.runtime.fast.convolution import Convolution, Taps
from app.runtime.makers import compiled
from app.runtime.nets import NETS
from app.weights.seeded import seeded

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA GPU here"),
]

NAMES = ("warping", "decoder", "animator", "motion", "appearance", "wav2lip")
MIN_DB = 40.0


@pytest.mark.parametrize("name", NAMES)
def test_an_engine_is_exact_at_every_size(name: str) -> None:
    spec = NETS[name]
    net = spec.net(seeded)
    engine = compiled(spec, net, "cuda", (1, 4))
    reference = folded(net).cuda()
    for frames in (1, 3, 4, 6):
        given = spec.samples(frames, seed=frames)
        answer = engine.run(*given)
        with torch.inference_mode(), float32_proper():
            wanted = reference(*(tensor.cuda() for tensor in given)).cpu()
        assert answer.shape == wanted.shape
        for frame, (drawn, expected) in enumerate(zip(answer, wanted, strict=True)):
            snr = snr_db(drawn, expected)
            print(f"{name}, frame {frame} of {frames}: {snr:.1f} dB")
            assert snr >= MIN_DB


def test_an_answer_is_the_callers() -> None:
    spec = NETS["wav2lip"]
    net = spec.net(seeded)
    engine = compiled(spec, net, "cuda", (1,))
    first = engine.run(*spec.samples(1, seed=1))
    kept = first.clone()
    engine.run(*spec.samples(1, seed=2))
    assert torch.equal(first, kept)


def test_inputs_may_lie_on_the_device() -> None:
    spec = NETS["wav2lip"]
    net = spec.net(seeded)
    engine = compiled(spec, net, "cuda", (4,))
    given = spec.samples(3)
    assert torch.equal(engine.run(*given), engine.run(*(tensor.cuda() for tensor in given)))


@pytest.mark.parametrize(("batch", "outputs"), [(1, 512), (1, 1536), (4, 512), (16, 512)])
def test_a_convolution_says_the_same_every_time(batch: int, outputs: int) -> None:
    weight = torch.randn(outputs, 512, 3, 3) / 64
    conv = Convolution(weight, torch.zeros(outputs), Taps.plain(3)).cuda().half()
    conv.bias = conv.bias.float()
    x = torch.randn(batch, 1, 64, 64, 512, device="cuda", dtype=torch.half)
    answers = [conv(x) for _ in range(50)]
    assert all(torch.equal(answer, answers[0]) for answer in answers)
