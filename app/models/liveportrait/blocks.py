"""Blocks that several nets share: convolution, batch normalisation, rectifier.

B batch, C channels, D depth, H height, W width.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from app.models.liveportrait.folding import halve_kernel


class ConvNorm(nn.Module):
    """Convolution, batch normalisation, then a rectifier.

    Args:
        conv: with a bias.
        norm: of the convolution's outputs.
        slope: of the rectifier below 0.
    """

    def __init__(
        self,
        conv: nn.Conv2d | nn.Conv3d,
        norm: nn.BatchNorm2d | nn.BatchNorm3d,
        slope: float = 0.0,
    ) -> None:
        super().__init__()
        self.conv = conv
        self.norm: nn.Module = norm
        self.slope = slope

    @classmethod
    def flat(cls, inputs: int, outputs: int, slope: float = 0.0) -> "ConvNorm":
        """Return a block on images, with a kernel of 3 x 3."""
        return cls(nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), slope)

    @classmethod
    def deep(cls, inputs: int, outputs: int, kernel: int = 3) -> "ConvNorm":
        """Return a block on volumes, with a kernel of 3 x 3 x 3, or of 1."""
        conv = nn.Conv3d(inputs, outputs, kernel, padding=kernel // 2)
        return cls(conv, nn.BatchNorm3d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output; the size stays."""
        x = self.norm(self.conv(x))
        return functional.leaky_relu(x, self.slope) if self.slope else functional.relu(x)

    def fold(self) -> None:
        """Merge the normalisation into the convolution."""
        self.conv = fuse_conv_bn_eval(self.conv, cast("nn.BatchNorm2d", self.norm))
        self.norm = nn.Identity()


class ResidualVolume(nn.Module):
    """Two convolutions on a volume, each behind normalisation and rectifier, added to their input.

    Args:
        channels: of input and output.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm_0 = nn.BatchNorm3d(channels)
        self.conv_0 = nn.Conv3d(channels, channels, 3, padding=1)
        self.norm_1: nn.Module = nn.BatchNorm3d(channels)
        self.conv_1 = nn.Conv3d(channels, channels, 3, padding=1)

    def forward(self, x_BCDHW: Tensor) -> Tensor:
        """Return (B, C, D, H, W)."""
        y = self.conv_0(functional.relu(self.norm_0(x_BCDHW)))
        y = self.conv_1(functional.relu(self.norm_1(y)))
        return cast("Tensor", x_BCDHW + y)

    def fold(self) -> None:
        """Merge the second normalisation into the first convolution."""
        self.conv_0 = fuse_conv_bn_eval(self.conv_0, cast("nn.BatchNorm3d", self.norm_1))
        self.norm_1 = nn.Identity()


class UpConvNorm(nn.Module):
    """Twice the height and width, each sample repeated, then convolution, norm and rectifier.

    Folded, the convolution runs at the small size (4/9 of the products): see `halve_kernel`.

    Args:
        inputs: channels.
        outputs: channels.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(inputs, outputs, 3, padding=1)
        self.norm: nn.Module = nn.BatchNorm3d(outputs)
        self.halved = False

    def forward(self, x_BCDHW: Tensor) -> Tensor:
        """Return (B, outputs, D, 2 H, 2 W)."""
        if self.halved:
            return functional.relu(interleave(self.conv(x_BCDHW)))
        x = functional.interpolate(x_BCDHW, scale_factor=(1.0, 2.0, 2.0))
        return functional.relu(self.norm(self.conv(x)))

    def fold(self) -> None:
        """Merge the normalisation and the repetition into the convolution."""
        fused = fuse_conv_bn_eval(self.conv, cast("nn.BatchNorm3d", self.norm))
        conv = nn.Conv3d(fused.in_channels, 4 * fused.out_channels, (3, 2, 2), padding=1)
        conv.weight = nn.Parameter(halve_kernel(fused.weight), requires_grad=False)
        bias = cast("Tensor", fused.bias).repeat_interleave(4)
        conv.bias = nn.Parameter(bias, requires_grad=False)
        self.conv, self.norm, self.halved = conv, nn.Identity(), True


def interleave(x: Tensor) -> Tensor:
    """Return what a convolution with `halve_kernel` gives for the doubled image.

    Args:
        x: (B, 4 C, ..., H + 1, W + 1), padded by one.

    Returns:
        (B, C, ..., 2 H, 2 W).
    """
    height, width = x.shape[-2:]
    x = torch.unflatten(x, 1, (-1, 2, 2)).movedim((2, 3), (-3, -1))
    x = x.flatten(-2).flatten(-3, -2)
    return x[..., 1 : 2 * height - 1, 1 : 2 * width - 1]
