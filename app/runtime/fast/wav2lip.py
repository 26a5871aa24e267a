"""Wav2Lip with one step per convolution, and speech beside the face.

B frames, C channels, H height, W width; channels last in memory.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from app.models.wav2lip.generator import Wav2Lip
from app.models.wav2lip.unit import Unit

FACE_CHANNELS = 8
"""Of the first convolution: 6, and 2 that are 0, because the matrix unit reads 8 at a time."""


class FastWav2Lip(nn.Module):
    """A `Wav2Lip` of the same weights.

    Args:
        net: loaded; folded or not.
    """

    def __init__(self, net: Wav2Lip) -> None:
        super().__init__()
        self.speech_encoder = _sequence(net.speech_encoder)
        self.face_encoder = nn.ModuleList(_sequence(stage) for stage in net.face_encoder)
        first = cast("FastUnit", cast("nn.Sequential", self.face_encoder[0])[0])
        rest = FACE_CHANNELS - first.weight.shape[1]
        first.weight = _frozen(functional.pad(first.weight, (0, 0, 0, 0, 0, rest)))
        self.decoder = nn.ModuleList(_sequence(stage) for stage in net.decoder)
        self.painter = FastUnit(net.painter)
        self.to_pixels = nn.Conv2d(32, 3, 1)
        self.to_pixels.load_state_dict(net.to_pixels.state_dict())

    def forward(self, mel_B1MS: Tensor, faces_B6HW: Tensor) -> Tensor:
        """Return (B, 3, 96, 96) BGR in [0, 1]; see `Wav2Lip.forward`."""
        if mel_B1MS.is_cuda:
            here = torch.cuda.current_stream()
            aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            aside.wait_stream(here)
            with torch.cuda.stream(aside):
                speech = self.speech_encoder(_last(mel_B1MS))
            skips = self._skips(faces_B6HW)
            here.wait_stream(aside)
        else:
            speech, skips = self.speech_encoder(_last(mel_B1MS)), self._skips(faces_B6HW)
        x = speech
        for stage, skip in zip(self.decoder, reversed(skips), strict=True):
            x = torch.cat([stage(x), skip], dim=1)
        x = self.painter(x)
        # One point at a time, so a matrix product.
        weight = self.to_pixels.weight.flatten(1)
        pixels = functional.linear(x.permute(0, 2, 3, 1), weight, self.to_pixels.bias)
        return pixels.sigmoid().permute(0, 3, 1, 2)

    def _skips(self, faces_B6HW: Tensor) -> list[Tensor]:
        x = functional.pad(faces_B6HW, (0, 0, 0, 0, 0, FACE_CHANNELS - faces_B6HW.shape[1]))
        x, skips = _last(x), []
        for stage in self.face_encoder:
            x = stage(x)
            skips.append(x)
        return skips


class FastUnit(nn.Module):
    """A `Unit`: convolution, bias, sum and rectifier in one."""

    def __init__(self, unit: Unit) -> None:
        super().__init__()
        conv, self.residual = unit.conv, unit.residual
        self.transposed = isinstance(conv, nn.ConvTranspose2d)
        if isinstance(unit.norm, nn.BatchNorm2d):
            conv = fuse_conv_bn_eval(conv.eval(), unit.norm.eval(), self.transposed)
        self.weight, self.bias = _frozen(conv.weight), _frozen(cast("Tensor", conv.bias))
        self.stride, self.padding = list(conv.stride), [int(size) for size in conv.padding]
        self.beyond = list(conv.output_padding)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C', H', W')."""
        if self.transposed:
            y = functional.conv_transpose2d(
                x, self.weight, self.bias, self.stride, self.padding, self.beyond
            )
            return functional.relu_(y)
        shape = (self.stride, self.padding, [1, 1], 1)
        if not x.is_cuda:
            y = functional.conv2d(x, self.weight, self.bias, self.stride, self.padding)
            return functional.relu(y + x if self.residual else y)
        if self.residual:
            return torch.cudnn_convolution_add_relu(x, self.weight, x, 1.0, self.bias, *shape)
        return torch.cudnn_convolution_relu(x, self.weight, self.bias, *shape)


def _sequence(stage: nn.Module) -> nn.Sequential:
    return nn.Sequential(*(FastUnit(cast("Unit", unit)) for unit in cast("nn.Sequential", stage)))


def _last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def _frozen(weight: Tensor) -> nn.Parameter:
    tensor = weight.detach().clone()
    if tensor.dim() == 4:
        tensor = tensor.contiguous(memory_format=torch.channels_last)
    return nn.Parameter(tensor, requires_grad=False)
