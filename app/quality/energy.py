"""The mouth to beat: its jaw follows loudness and knows nothing of what is said."""

import torch
from torch import nn

from app.models.viseme.controls import CONTROLS, STEPS, STEPS_BEFORE

QUIET_DB, LOUD_DB = -30.0, -4.0
"""Levels of speech brought to one level at which the jaw is shut, and at which it is open."""

HALF_WIDTH_STEPS = 5
"""Loudness is averaged over so many steps, 12.5 ms each, to both sides: syllables, no flutter."""


class EnergyMouth(nn.Module):
    """Controls from loudness alone; takes the place of `app.models.viseme.controls.Controls`.

    It hears as far ahead as the trained net does, and no delay handicaps it.
    """

    weights: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        around = torch.hann_window(2 * HALF_WIDTH_STEPS + 3, periodic=False)[1:-1]
        weights = torch.zeros(STEPS)
        weights[STEPS_BEFORE - HALF_WIDTH_STEPS : STEPS_BEFORE + HALF_WIDTH_STEPS + 1] = around
        self.register_buffer("weights", weights / weights.sum(), persistent=False)

    def forward(self, mel_BMW: torch.Tensor) -> torch.Tensor:
        """Return (B, 8) float32 in [0, 1], zeros but for the jaw.

        Args:
            mel_BMW: (B, 80, 32) float32 in [-4, 4], as `Controls.forward` takes it.
        """
        power_BW = torch.pow(10.0, mel_BMW * 1.25 - 3.0).sum(dim=1)
        level_B = (10 * torch.log10(power_BW + 1e-7)) @ self.weights
        controls = mel_BMW.new_zeros(len(mel_BMW), len(CONTROLS))
        loud = (level_B - QUIET_DB) / (LOUD_DB - QUIET_DB)
        controls[:, CONTROLS.index("jaw")] = loud.clamp(0, 1)
        return controls
