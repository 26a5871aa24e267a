"""Warping (W): hints, mixing and the warp as one kernel each, planes of depth beside channels.

B frames, C channels (32), D depth (16), H height and W width (64), K key-points (21), M motions
(22); channels last. The mask's 7 x 7 x 7 convolution, whose 22 outputs would leave a matrix unit
two thirds idle, is a 7 x 7 one with an output per depth tap and motion (154), added up over depth
where the mask is read.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from app.models.liveportrait.blocks import ConvNorm, UpConvNorm
from app.models.liveportrait.dense_motion import COMPRESSED, DEPTH, MOTIONS, DenseMotion, Hourglass
from app.models.liveportrait.folding import halve_kernel
from app.models.liveportrait.warping import WarpingNet
from app.runtime.fast import operations
from app.runtime.fast.convolution import Convolution, Taps

JOINED = 144
"""Channels of the hourglass's last step: 32 + 110, and 2 that are 0."""

HINTS_FROM = 32
SIDE = 7


class FastWarping(nn.Module):
    """A `WarpingNet` of the same weights that returns the feature alone.

    Args:
        net: loaded, not folded.
    """

    def __init__(self, net: WarpingNet) -> None:
        super().__init__()
        self.motion = FastDenseMotion(net.motion)
        flat = _fused(net.flatten)
        # The warp leaves the channels of one depth together, the net those of one channel.
        order = torch.arange(512).view(-1, DEPTH).T.flatten()
        weight = flat.weight[:, order]
        self.flatten = Convolution(
            weight, cast("Tensor", flat.bias), Taps.plain(3), slope=net.flatten.slope
        )
        self.project = nn.Linear(256, 256)
        self.project.weight = _frozen(net.project.weight[:, :, 0, 0])
        self.project.bias = _frozen(cast("Tensor", net.project.bias))

    def forward(self, volume_BCDHW: Tensor, source_BK3: Tensor, driving_BK3: Tensor) -> Tensor:
        """Return the feature (B, 256, 64, 64); see `WarpingNet.forward`."""
        return self.warped(volume_BCDHW, source_BK3, driving_BK3)[:, 0].movedim(-1, 1)

    def warped(self, volume_BCDHW: Tensor, source_BK3: Tensor, driving_BK3: Tensor) -> Tensor:
        """Return the feature as (B, 1, 64, 64, 256)."""
        kind = self.project.weight.dtype
        volume = volume_BCDHW.to(kind).movedim(1, -1).contiguous()
        source, driving = source_BK3.float().contiguous(), driving_BK3.float().contiguous()
        places, occlusion = self.motion(volume, source, driving)
        flat = self.flatten(operations.warp(volume, places))
        return cast("Tensor", self.project(flat) * occlusion[:, None, ..., None].to(kind))


class FastDenseMotion(nn.Module):
    """A `DenseMotion` of the same weights."""

    def __init__(self, net: DenseMotion) -> None:
        super().__init__()
        compress = _fused(net.compress)
        self.compress = nn.Linear(32, COMPRESSED)
        self.compress.weight = _frozen(compress.weight.flatten(1))
        self.compress.bias = _frozen(cast("Tensor", compress.bias))
        self.hourglass = FastHourglass(net.hourglass)
        weight = net.mask.weight.transpose(1, 2).transpose(0, 1).flatten(0, 1)
        rest = 160 - len(weight)
        weight = functional.pad(weight, (0, 0, 0, 0, 0, 0, 0, rest))
        self.mask = Convolution(weight, torch.zeros(160), Taps.plain(SIDE), inputs=JOINED)
        self.register_buffer("mask_bias", cast("Tensor", net.mask.bias).detach().float().clone())
        conv = cast("nn.Conv2d", net.occlusion)
        taps = conv.weight.detach().view(-1, DEPTH, SIDE * SIDE).transpose(0, 1)
        taps = functional.pad(taps, (0, 64 - SIDE * SIDE, 0, JOINED - taps.shape[1]))
        self.occlusion = nn.Parameter(taps.contiguous(), requires_grad=False)
        self.register_buffer("occlusion_bias", cast("Tensor", conv.bias).detach().float().clone())

    def forward(self, volume: Tensor, source: Tensor, driving: Tensor) -> tuple[Tensor, Tensor]:
        """Return places (B, D, H, W, 3) float32 in samples, and the occlusion (B, H, W)."""
        batch, depth, height, width = volume.shape[:4]
        joined = volume.new_empty(batch, depth, height, width, JOINED)
        compressed = functional.relu(self.compress(volume))
        operations.hints(compressed, source, driving, joined, HINTS_FROM)
        seen = self.hourglass(joined)
        slices = self.mask(seen)
        places = operations.mix(slices, cast("Tensor", self.mask_bias), source, driving)
        planes = torch.matmul(seen.flatten(2, 3).to(self.occlusion.dtype), self.occlusion)
        taps = planes.sum(1, dtype=torch.float32).view(batch, height, width, -1)
        return places, operations.gather(taps, cast("Tensor", self.occlusion_bias), SIDE)


class FastHourglass(nn.Module):
    """An `Hourglass` of the same weights, whose input already stands where its output is joined."""

    def __init__(self, net: Hourglass) -> None:
        super().__init__()
        downs = [_fused(cast("ConvNorm", block)) for block in net.down]
        zero = torch.zeros(downs[0].out_channels)
        weight = _hints_last(downs[0].weight, 0)
        self.first = Convolution(weight, zero, Taps.plain(3), inputs=JOINED - HINTS_FROM)
        self.down = nn.ParameterList(_deep(conv.weight) for conv in downs[1:])
        ups = [_halved(cast("UpConvNorm", block)) for block in net.up]
        self.up = nn.ParameterList(_deep(weight) for weight, _ in ups)
        biases = [cast("Tensor", conv.bias) for conv in downs] + [bias for _, bias in ups]
        for i, bias in enumerate(biases):
            self.register_buffer(f"bias_{i}", bias.detach().float().clone())
        out = _fused(net.out)
        rest = JOINED - out.out_channels
        weight = functional.pad(_hints_last(out.weight, HINTS_FROM), (0, 0) * 4 + (0, rest))
        bias = functional.pad(cast("Tensor", out.bias), (0, rest))
        self.out = Convolution(weight, bias, Taps.plain(3), slope=0.0, inputs=JOINED)

    def forward(self, joined: Tensor) -> Tensor:
        """Return (B, D, H, W, 144).

        Args:
            joined: (B, D, H, W, 144), its hints written; the rest is written here.
        """
        y = self.first(joined[..., HINTS_FROM:])
        kept = [joined]
        for i in range(5):
            channels, (height, width) = y.shape[-1], y.shape[2:4]
            before = self.up[3 - i].shape[0] // 4 if i < 4 else 0
            half = (*y.shape[:2], height // 2, width // 2, before + channels)
            kept.append(y.new_empty(half))
            y = operations.rectify_pool(y, self._bias(i), kept[-1][..., before:])
            if i < 4:
                y = _convolved(y, self.down[i], (1, 1, 1))
        for i, weight in enumerate(self.up):
            y = _convolved(kept.pop(), weight, (1, 1, 1))
            operations.rectify_interleave(y, self._bias(5 + i), kept[-1][..., : y.shape[-1] // 4])
        return cast("Tensor", self.out(joined))

    def _bias(self, index: int) -> Tensor:
        return cast("Tensor", getattr(self, f"bias_{index}"))


def _convolved(x_BDHWC: Tensor, weight: Tensor, padding: tuple[int, int, int]) -> Tensor:
    """Return a convolution by the library, channels last, without its bias."""
    y = functional.conv3d(x_BDHWC.movedim(-1, 1), weight, padding=padding)
    return y.movedim(1, -1).contiguous()


def _hints_last(weight: Tensor, offset: int) -> Tensor:
    """Return a weight whose inputs from `offset` on are hints, as `operations.hints` orders them.

    The net has five numbers per motion, the kernel all motions' heat, then channel by channel.
    """
    order = torch.arange(weight.shape[1] - offset).view(MOTIONS, -1).T.flatten() + offset
    return weight[:, torch.cat([torch.arange(offset), order])]


def _fused(block: ConvNorm) -> nn.Conv2d | nn.Conv3d:
    return fuse_conv_bn_eval(block.conv.eval(), cast("nn.BatchNorm2d", block.norm.eval()))


def _halved(block: UpConvNorm) -> tuple[Tensor, Tensor]:
    """Return weight (4 O, I, 3, 2, 2), its outputs ordered as (2, 2, O), and bias (O,)."""
    conv = fuse_conv_bn_eval(block.conv.eval(), cast("nn.BatchNorm3d", block.norm.eval()))
    weight = torch.unflatten(halve_kernel(conv.weight), 0, (-1, 4)).transpose(0, 1).flatten(0, 1)
    return weight, cast("Tensor", conv.bias)


def _deep(weight: Tensor) -> nn.Parameter:
    return _frozen(weight.contiguous(memory_format=torch.channels_last_3d))


def _frozen(tensor: Tensor) -> nn.Parameter:
    return nn.Parameter(tensor.detach().clone(), requires_grad=False)
