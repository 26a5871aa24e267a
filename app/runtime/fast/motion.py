"""The motion extractor (M) without a step that only moves memory.

B batch, H height, W width, C channels; channels last. The mean, the last norm and the heads stay
in float32: an angle is a sum over 66 logits times 3 degrees.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from app.models.liveportrait.motion import EPSILON, Block, MotionExtractor, Stage
from app.runtime.fast import operations


class FastMotion(nn.Module):
    """A `MotionExtractor` of the same weights, its fields side by side: (B, 328) float32.

    Args:
        net: loaded.
    """

    def __init__(self, net: MotionExtractor) -> None:
        super().__init__()
        stages = [cast("Stage", stage) for stage in net.stages]
        self.stages = nn.ModuleList(FastStage(stage) for stage in stages)
        for name, module in (("norm", net.norm), ("heads", net.heads)):
            self.register_buffer(f"{name}_weight", module.weight.detach().float().clone())
            self.register_buffer(f"{name}_bias", module.bias.detach().float().clone())

    def forward(self, image_B3HW: Tensor) -> Tensor:
        """Return the motion of images (B, 3, 256, 256), RGB in [0, 1]."""
        x = image_B3HW.movedim(1, -1)
        add = x.new_zeros(3, dtype=torch.float32)
        for stage in self.stages:
            x, add = stage(x, add)
        mean = x.mean((1, 2), dtype=torch.float32) + add
        weights = (getattr(self, f"{of}_{kind}") for of in ("norm", "heads") for kind in _KINDS)
        gamma, beta, weight, bias = weights
        return functional.linear(
            functional.layer_norm(mean, mean.shape[-1:], gamma, beta, EPSILON), weight, bias
        )


_KINDS = ("weight", "bias")


class FastStage(nn.Module):
    """A `Stage` of the same weights."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        down = stage.downsample
        self.of_image = down.of_image
        self.patch = down.conv.stride[0]
        weight = down.conv.weight.permute(0, 2, 3, 1).flatten(1)
        self.weight = _half(weight)
        self.bias = _half(cast("Tensor", down.conv.bias))
        self.gamma, self.beta = _half(down.norm.weight), _half(down.norm.bias)
        # What is still to be added to the output of each block; the next one's border holds it.
        add, blocks = torch.zeros(len(weight)), []
        for block in stage.blocks:
            blocks.append(FastBlock(cast("Block", block), add))
            add = blocks[-1].after
        self.blocks = nn.Sequential(*blocks)
        self.register_buffer("add", add)

    def forward(self, x_BHWC: Tensor, add_C: Tensor) -> tuple[Tensor, Tensor]:
        """Return (B, H', W', width), and what is to be added to every sample of it."""
        norm = (self.gamma.shape, self.gamma, self.beta, EPSILON)
        kind = self.weight.dtype
        x = x_BHWC.to(kind)
        if not self.of_image:
            x = functional.layer_norm(x + add_C.to(kind), *norm)
        patches = torch.unflatten(torch.unflatten(x, 2, (-1, self.patch)), 1, (-1, self.patch))
        y = functional.linear(patches.transpose(2, 3).flatten(3), self.weight, self.bias)
        if self.of_image:
            y = functional.layer_norm(y, *norm)
        return self.blocks(y), cast("Tensor", self.add)


class FastBlock(nn.Module):
    """A `Block` of the same weights, whose last bias the reader of its output adds.

    The response's offset goes through the last matrix once, here; what is to be added to the
    input goes through the depthwise convolution here.

    Args:
        block: loaded.
        add: (C,), to every sample of the input.

    Attributes:
        after: (C,), to be added to every sample of the output.
    """

    def __init__(self, block: Block, add: Tensor) -> None:
        super().__init__()
        conv, norm, response = block.depthwise, block.norm, block.response
        self.taps = _half(conv.weight.flatten(1).T)
        constant = add.detach().float().view(1, -1, 1, 1).expand(-1, -1, 7, 7)
        self.register_buffer("border", conv.float()(constant)[0].movedim(0, -1).contiguous())
        for name, tensor in (
            ("norm_gamma", norm.weight),
            ("norm_beta", norm.bias),
            ("gamma", response.gamma.flatten()),
        ):
            self.register_buffer(name, tensor.detach().float().clone())
        self.expand = nn.Linear(block.expand.in_features, block.expand.out_features)
        self.expand.weight, self.expand.bias = _half(block.expand.weight), _half(block.expand.bias)
        self.project = _half(block.project.weight)
        offset = block.project.weight @ response.beta.flatten()
        self.after = (add + block.project.bias + offset).detach().float()

    def forward(self, x_BHWC: Tensor) -> Tensor:
        """Return (B, H, W, C) in the place of x."""
        names = ("norm_gamma", "norm_beta")
        weights = (self.taps, *(cast("Tensor", getattr(self, name)) for name in names))
        y = operations.depthwise_norm(x_BHWC, cast("Tensor", self.border), weights, EPSILON)
        y = operations.respond(self.expand(y), cast("Tensor", self.gamma), EPSILON)
        x_BHWC.view(-1, x_BHWC.shape[-1]).addmm_(y.flatten(0, 2), self.project.T)
        return x_BHWC


def _half(tensor: Tensor) -> nn.Parameter:
    """Return a tensor of its own that takes the net's type."""
    return nn.Parameter(tensor.detach().clone().contiguous(), requires_grad=False)
