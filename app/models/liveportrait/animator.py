"""Warping and decoder as one net with pixels out: a portrait's volume and key-points to frames.

B frames, K key-points (21).
"""

import torch
from torch import Tensor, nn

from app.models.liveportrait.decoder import Decoder
from app.models.liveportrait.warping import WarpingNet


class Animator(nn.Module):
    """Draws face crops.

    Args:
        warping: W.
        decoder: G.
    """

    def __init__(self, warping: WarpingNet, decoder: Decoder) -> None:
        super().__init__()
        self.warping = warping
        self.decoder = decoder

    def forward(self, volume_BCDHW: Tensor, source_BK3: Tensor, driving_BK3: Tensor) -> Tensor:
        """Return (B, 512, 512, 3) uint8 RGB; what a level has beyond whole numbers is cut.

        Args:
            volume_BCDHW: (B, 32, 16, 64, 64), the portrait's, of `AppearanceExtractor`.
            source_BK3: (B, 21, 3), its posed key-points.
            driving_BK3: (B, 21, 3), the frame's.

        Source: LivePortrait@1986663 src/live_portrait_wrapper.py, for the conversion.
        """
        feature = self.warping(volume_BCDHW, source_BK3, driving_BK3).feature
        frames: Tensor = self.decoder(feature)
        # Bytes only at the very end: TensorRT gives them, but computes nothing on them.
        levels = (frames.float().clamp(0, 1) * 255).permute(0, 2, 3, 1)
        return levels.to(torch.uint8).contiguous()
