"""From a net of `app.models` to the same function as a GPU likes it."""

import copy
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from app.models.folding import folded
from app.models.liveportrait.animator import Animator
from app.models.liveportrait.appearance import AppearanceExtractor
from app.models.liveportrait.decoder import Decoder
from app.models.liveportrait.motion import MotionExtractor
from app.models.liveportrait.warping import WarpingNet
from app.models.wav2lip.painter import Painter
from app.runtime.fast.decoder import FastDecoder
from app.runtime.fast.motion import FastMotion
from app.runtime.fast.warping import FastWarping
from app.runtime.fast.wav2lip import FastWav2Lip

if TYPE_CHECKING:
    from app.models.wav2lip.generator import Wav2Lip

HALF = torch.float16
HOPPER = 9
"""Compute capability that the kernels are written for."""


class WarpedFeature(nn.Module):
    """A `WarpingNet` that says the feature alone.

    Args:
        net: folded or not.
    """

    def __init__(self, net: WarpingNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, volume_BCDHW: Tensor, source_BK3: Tensor, driving_BK3: Tensor) -> Tensor:
        """Return (B, 256, 64, 64); see `WarpingNet.forward`."""
        return cast("Tensor", self.net(volume_BCDHW, source_BK3, driving_BK3).feature)


class MotionNumbers(nn.Module):
    """A `MotionExtractor` that says its fields side by side.

    Args:
        net: folded or not.
    """

    def __init__(self, net: MotionExtractor) -> None:
        super().__init__()
        self.net = net

    def forward(self, image_B3HW: Tensor) -> Tensor:
        """Return (B, 328), in the order of `Motion`; see `MotionExtractor.forward`."""
        return torch.cat(self.net(image_B3HW), 1)


class FastAnimator(nn.Module):
    """An `Animator` of the same weights.

    Args:
        net: loaded, not folded.
    """

    def __init__(self, net: Animator) -> None:
        super().__init__()
        self.warping = FastWarping(net.warping)
        self.decoder = FastDecoder(net.decoder)

    def forward(self, volume_BCDHW: Tensor, source_BK3: Tensor, driving_BK3: Tensor) -> Tensor:
        """Return (B, 512, 512, 3) uint8 RGB; see `Animator.forward`."""
        feature = self.warping.warped(volume_BCDHW, source_BK3, driving_BK3)
        return (self.decoder.drawn(feature).float() * 255).clamp(0, 255).to(torch.uint8)


class Narrow(nn.Module):
    """Runs a half-precision net on float32 inputs, but for places, which keep their type.

    Args:
        net: in half precision, channels last where it holds images or volumes.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return the net's output."""
        return cast("Tensor", self.net(*(self._narrow(tensor) for tensor in inputs)))

    @staticmethod
    def _narrow(tensor: Tensor) -> Tensor:
        if tensor.dim() == 5:
            return tensor.to(HALF, memory_format=torch.channels_last_3d)
        if tensor.dim() == 4 and tensor.is_floating_point():
            return tensor.to(HALF, memory_format=torch.channels_last)
        return tensor


def halved(net: nn.Module) -> nn.Module:
    """Return the net as it is, folded, in half precision and channels last: what is beaten here.

    Embedded nets compute places throughout, and stay in float32.
    """
    if not published(net):
        return copy.deepcopy(net).eval()
    return Narrow(_channels_last(folded(net).to(HALF)))


def published(net: nn.Module) -> bool:
    """Return whether a net is one of the published ones, which half precision suits."""
    kinds = (Animator, WarpedFeature, Decoder, MotionNumbers, Painter, AppearanceExtractor)
    return isinstance(net, kinds)


@torch.no_grad()
def fast(net: nn.Module, kind: torch.dtype = HALF) -> nn.Module:
    """Return the same function for a Hopper GPU; what needs float32 keeps it.

    Args:
        net: loaded, not folded; of a kind that this room does not know, `halved` is returned.
        kind: of the weights and of what passes between them.
    """
    inner: nn.Module
    match net:
        case Animator():
            inner = FastAnimator(net)
        case WarpedFeature():
            inner = FastWarping(net.net)
        case Decoder():
            inner = FastDecoder(net)
        case MotionNumbers():
            inner = FastMotion(net.net)
        case Painter():
            inner = Painter(cast("Wav2Lip", FastWav2Lip(net.net)))
        case _:
            return halved(net)
    for parameter in inner.parameters():
        parameter.data = parameter.data.to(kind)
    inner = inner.eval().requires_grad_(False)
    return Narrow(inner) if kind == HALF and isinstance(net, Decoder) else inner


def _channels_last(net: nn.Module) -> nn.Module:
    for parameter in net.parameters():
        if parameter.dim() == 5:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last_3d)
        elif parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return net
