"""The mouth to beat: its jaw follows loudness and knows nothing of what is said."""

import torch
from torch import nn

from app.models.viseme.controls import STEPS_BEFORE
from app.models.viseme.phonemes import CONTROLS

QUIET_DB, LOUD_DB = -35.0, 2.0
"""Levels of speech brought to one level at which the jaw is shut, and at which it is open."""

BEFORE, AFTER = 2, 3
"""Steps before the frame, and from it on, whose mean loudness is heard: 62 ms around it."""

WIDEST = 0.47
"""Jaw at the loudest."""


class EnergyMouth(nn.Module):
    """Controls from loudness alone; takes the place of `app.models.viseme.controls.Controls`.

    Its numbers are those that follow the references of the training clips best, of the grid that
    `python -m app.training energy` searches.
    """

    def forward(self, mel_BMW: torch.Tensor) -> torch.Tensor:
        """Return (B, 8) float32 in [0, 1], zeros but for the jaw.

        Args:
            mel_BMW: (B, 80, 32) float32 in [-4, 4], as `Controls` takes it.
        """
        heard = mel_BMW[:, :, STEPS_BEFORE - BEFORE : STEPS_BEFORE + AFTER]
        level_B = mean_level_db(heard)
        controls = mel_BMW.new_zeros(len(mel_BMW), len(CONTROLS))
        share_B = ((level_B - QUIET_DB) / (LOUD_DB - QUIET_DB)).clamp(0, 1)
        controls[:, CONTROLS.index("jaw")] = WIDEST * share_B
        return controls


def mean_level_db(mel_BMW: torch.Tensor) -> torch.Tensor:
    """Return (B,) float32, the level of windows of log-mel, averaged over time, dB."""
    power_BMW = torch.pow(10.0, mel_BMW * 1.25 - 3.0)
    return 10 * torch.log10(power_BMW.sum(dim=1) + 1e-7).mean(dim=1)
