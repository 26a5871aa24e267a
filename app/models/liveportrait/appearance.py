"""Appearance extractor (F): a portrait to its feature volume.

B batch, C channels (32), D depth (16), H height and W width (64).
"""

from typing import cast

from torch import Tensor, nn
from torch.nn import functional

from app.models.liveportrait.blocks import ConvNorm, ResidualVolume

CHANNELS = 32
DEPTH = 16


class AppearanceExtractor(nn.Module):
    """Two halvings on the image, then six residual blocks on the volume."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvNorm.flat(3, 64)
        self.down = nn.ModuleList([ConvNorm.flat(64, 128), ConvNorm.flat(128, 256)])
        self.lift = nn.Conv2d(256, CHANNELS * DEPTH, 1)
        self.residual = nn.Sequential(*(ResidualVolume(CHANNELS) for _ in range(6)))

    def forward(self, image_B3HW: Tensor) -> Tensor:
        """Return the volume (B, 32, 16, 64, 64) of images (B, 3, 256, 256), RGB in [0, 1]."""
        x = self.stem(image_B3HW)
        for block in self.down:
            x = functional.avg_pool2d(block(x), 2)
        volume_BCDHW = self.lift(x).unflatten(1, (CHANNELS, DEPTH))
        return cast("Tensor", self.residual(volume_BCDHW))
