"""The one building block of both nets: convolution, normalisation, ReLU.

B batch, C channels, H/W px or mel bins and steps.
"""

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

Size = int | tuple[int, int]


class Unit(nn.Module):
    """A convolution, its BatchNorm, and a ReLU; a residual unit adds its input before the ReLU.

    Args:
        conv: of any kind; that of a residual unit keeps the shape.
        residual: whether the input is added.
    """

    def __init__(self, conv: nn.Conv2d | nn.ConvTranspose2d, residual: bool = False) -> None:
        super().__init__()
        self.conv = conv
        self.norm: nn.BatchNorm2d | nn.Identity = nn.BatchNorm2d(conv.out_channels)
        self.residual = residual

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Return (B, C', H', W'), values >= 0."""
        y_BCHW: torch.Tensor = self.norm(self.conv(x_BCHW))
        return functional.relu_(y_BCHW + x_BCHW if self.residual else y_BCHW)

    def fold(self) -> None:
        """Merge the normalisation into the convolution, as inference allows; once loaded."""
        if isinstance(self.norm, nn.BatchNorm2d):
            transposed = isinstance(self.conv, nn.ConvTranspose2d)
            self.conv = fuse_conv_bn_eval(self.conv, self.norm, transposed)
            self.norm = nn.Identity()


def down(inputs: int, outputs: int, kernel: int, stride: Size = 1, padding: int = 0) -> Unit:
    """Return a unit that changes the channels, and the size by its stride."""
    return Unit(nn.Conv2d(inputs, outputs, kernel, stride, padding))


def same(channels: int) -> Unit:
    """Return a residual unit that keeps channels and size."""
    return Unit(nn.Conv2d(channels, channels, 3, padding=1), residual=True)


def up(inputs: int, outputs: int) -> Unit:
    """Return a unit that doubles height and width."""
    return Unit(nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1))
