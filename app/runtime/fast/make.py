"""From a net of `app.models` to the same function as a GPU likes it."""

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from app.models.liveportrait.animator import Animator
from app.models.liveportrait.decoder import Decoder
from app.models.wav2lip.painter import Painter
from app.runtime.fast.decoder import FastDecoder
from app.runtime.fast.motion import FastMotion
from app.runtime.fast.warping import FastWarping
from app.runtime.fast.wav2lip import FastWav2Lip
from app.runtime.nets import MotionNumbers, WarpedFeature
from app.runtime.precision import Halved

if TYPE_CHECKING:
    from app.models.wav2lip.generator import Wav2Lip

HALF = torch.float16


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


@torch.no_grad()
def fast(net: nn.Module, kind: torch.dtype = HALF) -> nn.Module | None:
    """Return the same function for a Hopper GPU; what needs float32 keeps it.

    Args:
        net: loaded, not folded; of a kind that this room does not know, nothing is returned.
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
            inner = Painter(FastWav2Lip(cast("Wav2Lip", net.net)))
        case _:
            return None
    for parameter in inner.parameters():
        parameter.data = parameter.data.to(kind)
    inner = inner.eval().requires_grad_(False)
    return Halved(inner, (0,), last=True) if kind == HALF and isinstance(net, Decoder) else inner
