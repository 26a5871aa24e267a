"""The mouth to beat: its jaw follows loudness and knows nothing of what is said."""

import torch
from torch import nn

from app.models.viseme.controls import CONTROLS

QUIET_DB, LOUD_DB = -30.0, -2.0
"""Levels of speech brought to one level at which the jaw is shut, and at which it is open."""

LEAD_STEPS = 4
"""The window's first 50 ms are heard: what sounds while the frame is shown."""


class EnergyMouth(nn.Module):
    """Controls from loudness alone; takes the place of `app.models.viseme.controls.Controls`."""

    def forward(self, mel_BMS: torch.Tensor) -> torch.Tensor:
        """Return (B, 8) float32 in [0, 1], zeros but for the jaw.

        Args:
            mel_BMS: (B, 80, 16) float32 in [-4, 4], Wav2Lip's log-mel, starting at the frame.
        """
        power_BMS = torch.pow(10.0, mel_BMS[:, :, :LEAD_STEPS] * 1.25 - 3.0)
        level_B = 10 * torch.log10(power_BMS.sum(dim=1).mean(dim=1) + 1e-7)
        controls = mel_BMS.new_zeros(len(mel_BMS), len(CONTROLS))
        controls[:, CONTROLS.index("jaw")] = ((level_B - QUIET_DB) / (LOUD_DB - QUIET_DB)).clamp(
            0, 1
        )
        return controls
