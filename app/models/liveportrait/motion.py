"""Motion extractor (M): an image to head pose, expression, scale and canonical key-points.

B batch, C channels, H height, W width.

Source: ConvNeXt V2 (arXiv 2301.00808), size "tiny".
"""

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTHS = (96, 192, 384, 768)
DEPTHS = (3, 3, 9, 3)
EPSILON = 1e-6

HEADS = (66, 66, 66, 3, 63, 1, 63)
"""Numbers of each field of `Motion`, in its order."""


class Motion(NamedTuple):
    """What the heads say, raw.

    Attributes:
        pitch: (B, 66) logits of bins that are 3 degrees wide.
        yaw: (B, 66) likewise.
        roll: (B, 66) likewise.
        t: (B, 3) translation.
        exp: (B, 63) change of 21 key-points, flat, by the expression.
        scale: (B, 1).
        kp: (B, 63) canonical key-points, flat.
    """

    pitch: Tensor
    yaw: Tensor
    roll: Tensor
    t: Tensor
    exp: Tensor
    scale: Tensor
    kp: Tensor


class MotionExtractor(nn.Module):
    """ConvNeXt V2 with seven linear heads, which are one matrix here."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            Stage(before, width, depth)
            for before, width, depth in zip((0, *WIDTHS[:-1]), WIDTHS, DEPTHS, strict=True)
        )
        self.norm = nn.LayerNorm(WIDTHS[-1], EPSILON)
        self.heads = nn.Linear(WIDTHS[-1], sum(HEADS))

    def forward(self, image_B3HW: Tensor) -> Motion:
        """Return the motion of images (B, 3, 256, 256), RGB in [0, 1]."""
        x_BHWC = image_B3HW.permute(0, 2, 3, 1)
        for stage in self.stages:
            x_BHWC = stage(x_BHWC)
        numbers = self.heads(self.norm(x_BHWC.mean((1, 2))))
        return Motion(*numbers.split(HEADS, 1))


class Stage(nn.Module):
    """Downsampling, then blocks of one width.

    Args:
        inputs: channels of the stage before, 0 for the first, which takes the image.
        width: channels.
        depth: number of blocks.
    """

    def __init__(self, inputs: int, width: int, depth: int) -> None:
        super().__init__()
        self.downsample = Downsample(inputs, width)
        self.blocks = nn.Sequential(*(Block(width) for _ in range(depth)))

    def forward(self, x_BHWC: Tensor) -> Tensor:
        """Return (B, H', W', width)."""
        return cast("Tensor", self.blocks(self.downsample(x_BHWC)))


class Downsample(nn.Module):
    """A patch of samples becomes one: 4 x 4 of the image, normalised after; else 2 x 2, before.

    Args:
        inputs: channels, 0 for the image.
        width: channels of the output.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        patch = 2 if inputs else 4
        self.of_image = not inputs
        self.conv = nn.Conv2d(inputs or 3, width, patch, stride=patch)
        self.norm = nn.LayerNorm(inputs or width, EPSILON)

    def forward(self, x_BHWC: Tensor) -> Tensor:
        """Return (B, H', W', width)."""
        if not self.of_image:
            x_BHWC = self.norm(x_BHWC)
        y_BHWC = self.conv(x_BHWC.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return cast("Tensor", self.norm(y_BHWC) if self.of_image else y_BHWC)


class Block(nn.Module):
    """Depthwise convolution and a perceptron over channels, added to their input.

    Args:
        width: channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, EPSILON)
        self.expand = nn.Linear(width, 4 * width)
        self.response = ResponseNorm(4 * width)
        self.project = nn.Linear(4 * width, width)

    def forward(self, x_BHWC: Tensor) -> Tensor:
        """Return (B, H, W, C)."""
        y = self.depthwise(x_BHWC.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        y = functional.gelu(self.expand(self.norm(y)))
        return cast("Tensor", x_BHWC + self.project(self.response(y)))


class ResponseNorm(nn.Module):
    """Global response normalisation: each channel by its norm against the other channels'.

    Args:
        width: channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1, 1, 1, width))
        self.beta = nn.Parameter(torch.zeros(1, 1, 1, width))

    def forward(self, x_BHWC: Tensor) -> Tensor:
        """Return (B, H, W, C)."""
        norm = torch.linalg.vector_norm(x_BHWC, dim=(1, 2), keepdim=True)
        gain = norm / (norm.mean(-1, keepdim=True) + EPSILON)
        return torch.addcmul(self.beta, x_BHWC, 1 + self.gamma * gain)
