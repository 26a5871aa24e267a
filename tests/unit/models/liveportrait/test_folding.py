"""Folding changes the operations, not the function; and the loaded net stays as it was."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from app.models.folding import folded
from app.models.liveportrait.blocks import ConvNorm, ResidualVolume, UpConvNorm, interleave
from app.models.liveportrait.dense_motion import axis, mix, shift_volume
from app.models.liveportrait.folding import halve_kernel, split_taps
from app.models.liveportrait.spade import SharedHidden, SpadeBlock, SpectralConv
from app.models.liveportrait.warping import warp_volume


def shaken(net: nn.Module) -> nn.Module:
    """Return the net in eval mode, every tensor of it random."""
    for tensor in (*net.parameters(), *net.buffers()):
        if tensor.is_floating_point():
            values = torch.randn(tensor.shape) * 0.1
            tensor.data.copy_(values.abs() + 0.5 if tensor.dim() == 1 else values)
    return net.eval()


Shape = tuple[int, ...]

BLOCKS: dict[str, tuple[Callable[[], nn.Module], list[Shape]]] = {
    "flat": (lambda: ConvNorm.flat(4, 6, slope=0.01), [(2, 4, 5, 7)]),
    "deep": (lambda: ConvNorm.deep(4, 6), [(2, 4, 3, 5, 7)]),
    "residual": (lambda: ResidualVolume(4), [(2, 4, 3, 5, 7)]),
    "up": (lambda: UpConvNorm(4, 6), [(2, 4, 3, 5, 7)]),
    "spectral": (lambda: SpectralConv(4, 6, 3), [(2, 4, 5, 7)]),
    "hidden at 1": (lambda: SharedHidden(2, 1), [(1, 256, 5, 7)]),
    "hidden at 2": (lambda: SharedHidden(3, 2), [(1, 256, 5, 7)]),
    "hidden at 4": (lambda: SharedHidden(3, 4), [(1, 256, 5, 7)]),
    "spade": (lambda: SpadeBlock(8, 8), [(2, 8, 5, 7), (2, 256, 5, 7)]),
    "spade at 2": (lambda: SpadeBlock(8, 4, scale=2), [(2, 8, 5, 7), (2, 256, 5, 7)]),
    "spade at 4": (lambda: SpadeBlock(8, 4, scale=4), [(2, 8, 10, 14), (2, 256, 5, 7)]),
}


@pytest.mark.parametrize("name", BLOCKS)
@torch.no_grad()
def test_a_folded_block_is_the_same_function(name: str) -> None:
    torch.manual_seed(0)
    make, shapes = BLOCKS[name]
    block = shaken(make()).double()
    inputs = [torch.randn(shape, dtype=torch.float64) for shape in shapes]
    before = {key: of.clone() for key, of in block.state_dict().items()}
    expected = block(*inputs)
    torch.testing.assert_close(folded(block)(*inputs), expected, rtol=1e-11, atol=1e-11)
    after = block.state_dict()
    assert set(after) == set(before)
    assert all(torch.equal(after[key], before[key]) for key in before)


@pytest.mark.parametrize("shape", [(1, 3, 4, 5), (1, 3, 2, 4, 5)], ids=["image", "volume"])
def test_a_halved_kernel_does_at_half_the_size_what_the_kernel_does(shape: Shape) -> None:
    convolve = functional.conv2d if len(shape) == 4 else functional.conv3d
    x = torch.randn(shape, dtype=torch.float64)
    kernel = torch.randn(2, 3, *(3,) * (len(shape) - 2), dtype=torch.float64)
    doubled = x.repeat_interleave(2, -2).repeat_interleave(2, -1)
    found = interleave(convolve(x, halve_kernel(kernel), padding=1))
    torch.testing.assert_close(found, convolve(doubled, kernel, padding=1))


@torch.no_grad()
def test_a_convolution_taken_apart_is_the_same_function() -> None:
    conv = nn.Conv2d(11, 1, 7, padding=3)
    x = torch.randn(2, 11, 9, 8)
    torch.testing.assert_close(split_taps(conv)(x), conv(x), rtol=1e-5, atol=1e-5)


def places(shift_BM3: Tensor, depth: int, size: int) -> tuple[Tensor, Tensor]:
    """Return the grid and the grid plus each motion's shift, (B, M, D, H, W, 3)."""
    x, z = axis(size, shift_BM3), axis(depth, shift_BM3)
    grid = torch.stack(torch.meshgrid(z, x, x, indexing="ij")[::-1], -1)
    return grid, grid + shift_BM3[:, :, None, None, None]


def test_shifting_by_matrices_is_trilinear_sampling_with_zeros_outside() -> None:
    torch.manual_seed(0)
    volume = torch.randn(2, 4, 6, 8, 8, dtype=torch.float64)
    shift = torch.randn(2, 5, 3, dtype=torch.float64) * 0.5
    shift[:, 0] = 0
    shift[:, 1] = 3.0
    axes = (axis(8, shift), axis(8, shift), axis(6, shift))
    moved = shift_volume(volume, axes, shift)
    _, where = places(shift, 6, 8)
    for motion in range(5):
        expected = warp_volume(volume, where[:, motion])
        torch.testing.assert_close(moved[:, motion], expected, rtol=1e-9, atol=1e-9)
    assert not moved[:, 1].any()
    assert (moved[:, 0] - volume).abs().max() > 0.01, "standing still is not the identity"


def test_mixing_is_the_mean_of_all_motions_by_the_mask() -> None:
    shift = torch.randn(2, 5, 3, dtype=torch.float64)
    mask = torch.randn(2, 5, 6, 8, 8, dtype=torch.float64).softmax(1)
    axes = (axis(8, shift), axis(8, shift), axis(6, shift))
    _, where = places(shift, 6, 8)
    torch.testing.assert_close(mix(mask, axes, shift), (mask.unsqueeze(-1) * where).sum(1))
