"""Wav2Lip with pixels in and out, so that bytes travel and conversion happens where the net is.

B frames, S crop px (96).
"""

import torch
from torch import nn

_MASKED_FROM = 48


class Painter(nn.Module):
    """Repaints faces after speech.

    Args:
        net: the generator, or what was made of it; its floating type is the arithmetic's.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, faces_BSS3: torch.Tensor, mel_BMS: torch.Tensor) -> torch.Tensor:
        """Return (B, 96, 96, 3) uint8 RGB; what a level has beyond whole numbers is cut.

        Args:
            faces_BSS3: (B, 96, 96, 3) uint8 RGB, whole faces.
            mel_BMS: (B, 80, 16) float32 log-mel in [-4, 4].

        Source: Wav2Lip@5c90fa9 inference.py, whose channels are BGR.
        """
        # A converted net shows no weights, and takes float32.
        weight = next(self.net.parameters(), None)
        kind = torch.float32 if weight is None else weight.dtype
        # Bytes only at the very ends: TensorRT takes and gives them, but computes nothing on them.
        whole = faces_BSS3.to(kind).flip(-1).permute(0, 3, 1, 2) / 255
        upper = whole[:, :, :_MASKED_FROM]
        masked = torch.cat([upper, torch.zeros_like(whole[:, :, _MASKED_FROM:])], dim=2)
        painted = self.net(mel_BMS[:, None].to(kind), torch.cat([masked, whole], dim=1))
        levels: torch.Tensor = (painted.float() * 255).permute(0, 2, 3, 1).flip(-1)
        return levels.to(torch.uint8).contiguous()
