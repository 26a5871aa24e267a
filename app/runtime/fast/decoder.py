"""The decoder (G), its normalisations in the convolutions that modulate them.

B frames, H height, W width, C channels; channels last. On a GPU a modulation's gains and offsets
never reach memory; the block at four times the feature's size knows that three of four rows of what
its normalisations read differ, and saves 5/6 and 4/13 of the products there.
"""

from typing import cast

import torch
from torch import Tensor, nn

from app.models.liveportrait.decoder import Decoder
from app.models.liveportrait.spade import HIDDEN, SLOPE, Modulation, SpadeBlock, SpectralConv
from app.runtime.fast.convolution import DOUBLED, FOURFOLD, LINEAR, SPREAD, Convolution, Taps
from app.runtime.fast.operations import moments_of

PLAIN = Taps.plain(3)
POINT = Taps.plain(1)
IMAGE_CHANNELS = 16
"""Of the last convolution: 12, and 4 that count nothing."""


class FastDecoder(nn.Module):
    """A `Decoder` of the same weights.

    Args:
        net: loaded, not folded.
    """

    def __init__(self, net: Decoder) -> None:
        super().__init__()
        self.stem = _plain(net.stem)
        middle = [cast("SpadeBlock", block) for block in net.middle]
        weight = torch.cat([block.shared.conv.weight for block in middle])
        bias = torch.cat([cast("Tensor", block.shared.conv.bias) for block in middle])
        # What all middle blocks read of the feature is one convolution.
        self.shared = Convolution(weight, bias, PLAIN, slope=0.0)
        self.middle = nn.ModuleList(FastBlock(block, None, PLAIN) for block in middle)
        up_0, up_1 = (cast("SpadeBlock", block) for block in net.up)
        self.up_0 = FastBlock(up_0, _shared(up_0, DOUBLED, apart=False), PLAIN)
        self.up_1 = FastBlock(up_1, _shared(up_1, FOURFOLD, apart=True), SPREAD, slope=SLOPE)
        rest = IMAGE_CHANNELS - net.image.out_channels
        weight = nn.functional.pad(net.image.weight, (0, 0, 0, 0, 0, 0, 0, rest))
        bias = nn.functional.pad(cast("Tensor", net.image.bias), (0, rest))
        self.image = Convolution(weight, bias, PLAIN)

    def forward(self, feature_BFHW: Tensor) -> Tensor:
        """Return frames (B, 3, 512, 512), RGB in (0, 1), of features (B, 256, 64, 64)."""
        feature = feature_BFHW.movedim(1, -1).unsqueeze(1).contiguous()
        return self.drawn(feature).movedim(-1, 1)

    def drawn(self, feature_B1HWF: Tensor) -> Tensor:
        """Return frames (B, 512, 512, 3), RGB in (0, 1), of features (B, 1, 64, 64, 256)."""
        x = self.stem(feature_B1HWF)
        hidden = torch.split(self.shared(feature_B1HWF), HIDDEN, -1)
        for i, block in enumerate(self.middle):
            x = block(x, hidden[2 * i : 2 * i + 2])
        for block in (self.up_0, self.up_1):
            x = block(x, block.read(feature_B1HWF))
        levels = self.image(x)[:, 0, ..., :12].sigmoid()
        # Channel c, row i and column j of a doubled sample are number 4 c + 2 i + j.
        batch, height, width = levels.shape[:3]
        levels = levels.view(batch, height, width, 3, 2, 2).permute(0, 1, 4, 2, 5, 3)
        frames: Tensor = levels.reshape(batch, 2 * height, 2 * width, 3)
        return frames


class FastBlock(nn.Module):
    """A `SpadeBlock` of the same weights.

    Args:
        block: loaded, not folded.
        shared: what its normalisations read of the feature, where the block computes that.
        taps: how they read it.
        slope: of a rectifier behind the block.
    """

    def __init__(
        self, block: SpadeBlock, shared: Convolution | None, taps: Taps, slope: float = LINEAR
    ) -> None:
        super().__init__()
        self.shared = shared
        self.norm_0 = _modulation(block.norm_0, taps, SLOPE)
        self.conv_0 = _spectral(block.conv_0, PLAIN)
        self.norm_1 = _modulation(block.norm_1, taps, SLOPE)
        projects = block.norm_s is not None and block.conv_s is not None
        self.conv_1 = _spectral(block.conv_1, PLAIN, LINEAR if projects else slope)
        self.norm_s = _modulation(block.norm_s, taps, LINEAR) if block.norm_s else None
        self.conv_s = _spectral(block.conv_s, POINT, slope) if block.conv_s else None

    def read(self, feature: Tensor) -> tuple[Tensor, ...]:
        """Return what each normalisation reads of the feature."""
        assert self.shared is not None
        return torch.split(self.shared(feature), HIDDEN, -1)

    def forward(self, x: Tensor, hidden: tuple[Tensor, ...]) -> Tensor:
        """Return (B, 1, H', W', outputs)."""
        moments = moments_of(x)
        y = self.conv_0(self.norm_0(hidden[0], x, moments))
        y = self.norm_1(hidden[1], y, moments_of(y))
        if self.norm_s is None or self.conv_s is None:
            return cast("Tensor", self.conv_1(y, x))
        return cast("Tensor", self.conv_s(self.norm_s(hidden[2], x, moments), self.conv_1(y)))


def _plain(conv: nn.Conv2d) -> Convolution:
    return Convolution(conv.weight, cast("Tensor", conv.bias), PLAIN)


def _shared(block: SpadeBlock, taps: Taps, apart: bool) -> Convolution:
    conv = block.shared.conv
    return Convolution(conv.weight, cast("Tensor", conv.bias), taps, slope=0.0, apart=apart)


def _modulation(norm: Modulation, taps: Taps, slope: float) -> Convolution:
    bias = cast("Tensor", norm.conv.bias).detach().clone()
    if norm.around_one:
        bias[: norm.channels] += 1
    return Convolution(norm.conv.weight, bias, taps, slope=slope, modulates=True)


def _spectral(conv: SpectralConv, taps: Taps, slope: float = LINEAR) -> Convolution:
    bias = conv.bias if conv.bias is not None else torch.zeros(conv.out_channels)
    return Convolution(conv.spectral_weight(), bias, taps, slope=slope)
