"""Decoder (G): a warped feature to the frame, by spatially-adaptive normalisation.

B batch, H height, W width, F the feature's channels (256).
"""

from torch import Tensor, nn
from torch.nn import functional

from app.models.liveportrait.spade import FEATURE, SLOPE, SpadeBlock


class Decoder(nn.Module):
    """Six blocks at the feature's size, two that double it, and a last doubling of the image."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(FEATURE, 512, 3, padding=1)
        self.middle = nn.ModuleList(SpadeBlock(512, 512) for _ in range(6))
        self.up = nn.ModuleList([SpadeBlock(512, 256, scale=2), SpadeBlock(256, 64, scale=4)])
        self.image = nn.Conv2d(64, 12, 3, padding=1)

    def forward(self, feature_BFHW: Tensor) -> Tensor:
        """Return frames (B, 3, 512, 512), RGB in (0, 1), of features (B, 256, 64, 64)."""
        x = self.stem(feature_BFHW)
        for block in self.middle:
            x = block(x, feature_BFHW)
        for block in self.up:
            x = block(x, feature_BFHW)
        x = self.image(functional.leaky_relu(x, SLOPE))
        return functional.pixel_shuffle(x, 2).sigmoid()
