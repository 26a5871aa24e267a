"""From a net of `app.models` to the same function as a GPU likes it."""

import copy
from typing import cast

import torch
from torch import Tensor, nn

from app.models.liveportrait.animator import Animator
from app.models.liveportrait.decoder import Decoder
from app.models.liveportrait.motion import MotionExtractor
from app.models.liveportrait.warping import WarpingNet
from app.models.wav2lip.generator import Wav2Lip
from app.models.wav2lip.painter import Painter
from app.runtime.fast.decoder import FastDecoder
from app.runtime.fast.motion import FastMotion
from app.runtime.fast.warping import FastWarping
from app.runtime.fast.wav2lip import FastWav2Lip


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
        return (self.decoder.drawn(feature) * 255).clamp(0, 255).to(torch.uint8)


@torch.no_grad()
def fast(net: nn.Module, kind: torch.dtype = torch.float16) -> nn.Module:
    """Return the same function for a GPU, in a floating type; what needs float32 keeps it.

    Args:
        net: loaded, not folded; a kind that this room does not know is copied as it is.
        kind: of the weights and of what passes between them.
    """
    result: nn.Module
    match net:
        case Animator():
            result = FastAnimator(net)
        case WarpingNet():
            result = FastWarping(net)
        case Decoder():
            result = FastDecoder(net)
        case MotionExtractor():
            result = FastMotion(net)
        case Painter():
            result = Painter(cast("Wav2Lip", FastWav2Lip(net.net)))
        case Wav2Lip():
            result = FastWav2Lip(net)
        case _:
            return copy.deepcopy(net).eval()
    for parameter in result.parameters():
        parameter.data = parameter.data.to(kind)
    return result.eval().requires_grad_(False)
