"""The nets for a GPU compute what the nets of `app.models` do; here by their torch formulas."""

import pytest
import torch
from torch import Tensor, nn

from app.models.liveportrait.spade import SpadeBlock
from app.runtime.accuracy import snr_db
from app.runtime.fast.convolution import (
    DOUBLED,
    EIGHT_BIT,
    FOURFOLD,
    LARGEST,
    SPREAD,
    Convolution,
    Taps,
)
from app.runtime.fast.decoder import FastBlock
from app.runtime.fast.make import fast
from app.runtime.nets import NETS
from app.weights.seeded import seeded

EXACT_DB = 90.0


def quick(net: nn.Module) -> nn.Module:
    made = fast(net, torch.float32)
    assert made is not None
    return made


@pytest.mark.parametrize("name", ["warping", "motion"])
@torch.inference_mode()
def test_a_net_answers_as_the_published_one(name: str) -> None:
    net = NETS[name].net(seeded)
    given = NETS[name].samples(1)
    assert snr_db(quick(net)(*given), net(*given)) > EXACT_DB


@torch.inference_mode()
def test_wav2lip_answers_as_the_published_one() -> None:
    net = NETS["wav2lip"].net(seeded)
    given = NETS["wav2lip"].samples(2)
    drawn = quick(net)(*given)
    assert drawn.dtype == torch.uint8
    assert (drawn.int() - net(*given).int()).abs().max() <= 1


@torch.inference_mode()
def test_the_decoder_answers_as_the_published_one() -> None:
    net = NETS["decoder"].net(seeded)
    feature = torch.randn(1, 256, 8, 8)
    assert snr_db(quick(net)(feature), net(feature)) > EXACT_DB


def filled(block: SpadeBlock) -> SpadeBlock:
    for tensor in block.state_dict().values():
        nn.init.normal_(tensor, std=0.1)
    return block.eval()


@torch.inference_mode()
def test_a_block_at_four_times_the_features_size() -> None:
    block, feature = filled(SpadeBlock(32, 16, scale=4)), torch.randn(2, 256, 4, 6)
    x = torch.randn(2, 32, 8, 12)
    conv = block.shared.conv
    assert conv.bias is not None
    shared = Convolution(conv.weight, conv.bias, FOURFOLD, slope=0.0, apart=True)
    made = FastBlock(block, shared, SPREAD)
    drawn = made(last(x), made.read(last(feature)))
    assert snr_db(drawn[:, 0].movedim(-1, 1), block(x, feature)) > EXACT_DB


def last(x_BCHW: Tensor) -> Tensor:
    """Return (B, 1, H, W, C)."""
    return x_BCHW.movedim(1, -1).unsqueeze(1)


@torch.inference_mode()
def test_an_image_whose_samples_come_twice_is_not_made() -> None:
    conv, x = nn.Conv2d(8, 4, 3, padding=1), torch.randn(2, 8, 5, 3)
    assert conv.bias is not None
    made = Convolution(conv.weight, conv.bias, DOUBLED, slope=0.2)
    wanted = nn.functional.leaky_relu(conv(nn.functional.interpolate(x, scale_factor=2.0)), 0.2)
    assert snr_db(made(last(x))[:, 0].movedim(-1, 1), wanted) > EXACT_DB


@torch.inference_mode()
def test_depth_is_padded_like_height_and_width() -> None:
    conv, x = nn.Conv3d(6, 4, 3, padding=1), torch.randn(2, 6, 5, 4, 3)
    assert conv.bias is not None
    made = Convolution(conv.weight, conv.bias, Taps.plain(3), inputs=8)
    padded = nn.functional.pad(x.movedim(1, -1), (0, 2))
    assert snr_db(made(padded).movedim(-1, 1), conv(x)) > EXACT_DB


@torch.inference_mode()
def test_what_passes_in_8_bits_is_near() -> None:
    x = last(torch.randn(2, 16, 6, 5))
    pair = (
        Convolution(torch.randn(32, 16, 3, 3) / 12, torch.randn(32), Taps.plain(3), slope=0.2),
        Convolution(torch.randn(8, 32, 3, 3) / 17, torch.randn(8), Taps.plain(3), slope=0.2),
    )
    passed = pair[0](x)
    wanted = pair[1](passed)
    scale = passed.abs().max().item() / LARGEST
    pair[0].write_eight_bit(scale)
    pair[1].read_eight_bit(scale)
    assert pair[0](x).dtype == EIGHT_BIT
    assert pair[1](pair[0](x)).dtype == torch.float32
    assert snr_db(pair[1](pair[0](x)), wanted) > 25


def test_what_is_too_large_for_8_bits_is_cut_off() -> None:
    conv = Convolution(torch.full((1, 1, 1, 1), 1.0), torch.zeros(1), Taps.plain(1))
    conv.write_eight_bit(0.1)
    assert conv(torch.full((1, 1, 1, 1, 1), 100.0)).item() == LARGEST
