"""The whole embedded lip-sync net: from speech and a mouth crop to the speaking mouth.

B frames, M mel bins (80), S mel steps (32) or crop px, K mesh points (478).
"""

import torch
from torch import nn

from app.models.viseme.controls import Controls
from app.models.viseme.renderer import MouthRenderer


class VisemeNet(nn.Module):
    """Controls from speech, then the renderer; frames of a batch do not see each other."""

    def __init__(self) -> None:
        super().__init__()
        self.controls = Controls()
        self.renderer = MouthRenderer()

    def forward(
        self, crops_BSS3: torch.Tensor, points_BK2: torch.Tensor, mel_BMS: torch.Tensor
    ) -> torch.Tensor:
        """Return (B, S, S, 3) uint8 RGB.

        Args:
            crops_BSS3: (B, S, S, 3) uint8 RGB, cut by app.pipeline.mouth.
            points_BK2: (B, 478, 2) float32, mesh points, crop px.
            mel_BMS: (B, 80, 32) float32 in [-4, 4], Wav2Lip's log-mel around each frame's time,
                as `Controls` hears it.
        """
        drawn: torch.Tensor = self.renderer(crops_BSS3, points_BK2, self.controls(mel_BMS))
        return drawn
