"""Blocks of the decoder: spatially-adaptive normalisation around convolutions.

B batch, C channels, H height, W width, F the feature that every normalisation reads (256
channels, 64 x 64).

Source: SPADE (arXiv 1903.07291), LivePortrait's variant.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from app.models.liveportrait.blocks import interleave
from app.models.liveportrait.folding import halve_kernel

FEATURE = 256
HIDDEN = 128
SLOPE = 0.2


class SpectralConv(nn.Conv2d):
    """Convolution by its weight over the spectral norm that training left in `u` and `v`.

    The published nets take u W v as it stands, without another step of power iteration.
    """

    u: Tensor
    v: Tensor

    def __init__(self, inputs: int, outputs: int, kernel: int, bias: bool = True) -> None:
        super().__init__(inputs, outputs, kernel, padding=kernel // 2, bias=bias)
        self.register_buffer("u", torch.zeros(outputs))
        self.register_buffer("v", torch.zeros(inputs * kernel * kernel))
        self.normalised = False

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, outputs, H, W)."""
        y: Tensor = self._conv_forward(x, self.spectral_weight(), self.bias)
        return y

    def fold(self) -> None:
        """Divide the weight once."""
        self.weight.copy_(self.spectral_weight())
        self.normalised = True
        del self.u, self.v

    def spectral_weight(self) -> Tensor:
        """Return the weight over its spectral norm."""
        if self.normalised:
            return self.weight
        norm = self.u @ (self.weight.flatten(1) @ self.v)
        weight: Tensor = self.weight / norm
        return weight


class Modulation(nn.Module):
    """Gain and offset of every sample of a normalised image, by one convolution.

    Args:
        channels: of the image.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.conv = nn.Conv2d(HIDDEN, 2 * channels, 3, padding=1)
        self.around_one = True

    def forward(self, x_BCHW: Tensor, hidden_BCHW: Tensor) -> Tensor:
        """Return (1 + gamma) x + beta, (B, C, H, W), by `hidden` (B, 128, H, W)."""
        gamma, beta = self.conv(hidden_BCHW).chunk(2, 1)
        return torch.addcmul(beta, x_BCHW, 1 + gamma if self.around_one else gamma)

    def fold(self) -> None:
        """Add the 1 to the bias."""
        cast("Tensor", self.conv.bias)[: self.channels] += 1
        self.around_one = False


class SpadeBlock(nn.Module):
    """Two convolutions behind spatially-adaptive normalisations, added to their input.

    Args:
        inputs: channels.
        outputs: channels; where they are fewer, the input is normalised and projected as well.
        scale: size of the output in sizes of the feature; above 1, the input is doubled first.
    """

    def __init__(self, inputs: int, outputs: int, scale: int = 1) -> None:
        super().__init__()
        self.scale = scale
        projects = inputs != outputs
        self.shared = SharedHidden(3 if projects else 2, scale)
        self.norm_0 = Modulation(inputs)
        self.conv_0 = SpectralConv(inputs, outputs, 3)
        self.norm_1 = Modulation(outputs)
        self.conv_1 = SpectralConv(outputs, outputs, 3)
        self.norm_s = Modulation(inputs) if projects else None
        self.conv_s = SpectralConv(inputs, outputs, 1, bias=False) if projects else None

    def forward(self, x_BCHW: Tensor, feature_BFHW: Tensor) -> Tensor:
        """Return (B, outputs, H', W')."""
        hidden = self.shared(feature_BFHW).split(HIDDEN, 1)
        x = functional.instance_norm(x_BCHW)
        if self.scale > 1:
            # The moments of an image do not change when every sample comes four times.
            x = functional.interpolate(x, scale_factor=2.0)
        y = self.conv_0(functional.leaky_relu(self.norm_0(x, hidden[0]), SLOPE))
        y = functional.instance_norm(y)
        y = self.conv_1(functional.leaky_relu(self.norm_1(y, hidden[1]), SLOPE))
        if self.conv_s is None or self.norm_s is None:
            return cast("Tensor", x_BCHW + y)
        return cast("Tensor", self.conv_s(self.norm_s(x, hidden[2])) + y)


class SharedHidden(nn.Module):
    """The feature at a block's size, and what each of the block's normalisations reads from it.

    Folded, the convolution runs at half the size: see `halve_kernel`.

    Args:
        norms: number of normalisations, each with 128 channels.
        scale: size of the output in sizes of the feature.
    """

    def __init__(self, norms: int, scale: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(FEATURE, norms * HIDDEN, 3, padding=1)
        self.scale = scale
        self.halved = False

    def forward(self, feature_BFHW: Tensor) -> Tensor:
        """Return (B, 128 norms, H', W')."""
        if not self.halved:
            x = functional.interpolate(feature_BFHW, scale_factor=float(self.scale))
            return functional.relu(self.conv(x))
        x = feature_BFHW
        if self.scale > 2:
            x = functional.interpolate(x, scale_factor=self.scale / 2)
        return interleave(functional.relu(self.conv(x)))

    def fold(self) -> None:
        """Merge the last doubling into the convolution."""
        if self.scale == 1:
            return
        weight, bias = halve_kernel(self.conv.weight), cast("Tensor", self.conv.bias)
        self.conv = nn.Conv2d(FEATURE, len(weight), 2, padding=1)
        self.conv.weight = nn.Parameter(weight, requires_grad=False)
        self.conv.bias = nn.Parameter(bias.repeat_interleave(4), requires_grad=False)
        self.halved = True
