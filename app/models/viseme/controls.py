"""From a window of log-mel to eight mouth controls: a small convolutional net.

B frames, M mel bins (80), W steps of a window (32, 12.5 ms each), S steps (any number, at least W),
C controls (8).
"""

from typing import Final

import torch
from torch import nn

from app.models.viseme.phonemes import CONTROLS as CONTROLS

MEL_BINS: Final = 80
STEPS: Final = 32
STEPS_BEFORE: Final = 17
"""Steps of a window before the frame's; the last one, 14 after it, hears up to 200 ms ahead."""

_WIDTH: Final = 112
_DROPPED: Final = 0.08
_REST: Final = 0.04
"""What is less counts as nothing: in silence the mouth is at rest, not nearly so."""


class Controls(nn.Module):
    """Maps log-mel windows to the controls of `phonemes.CONTROLS`; frames do not see each other.

    Convolutions over time without padding, so that one window gives one frame, and a whole
    recording gives all its frames at once with the same numbers (`track`).
    """

    def __init__(self) -> None:
        super().__init__()
        self.width = _WIDTH
        self.layers = nn.Sequential(
            nn.Conv1d(MEL_BINS, _WIDTH, 5),
            nn.ReLU(),
            nn.Dropout(_DROPPED),
            nn.Conv1d(_WIDTH, _WIDTH, 3, dilation=2),
            nn.ReLU(),
            nn.Dropout(_DROPPED),
            nn.Conv1d(_WIDTH, _WIDTH, 3, dilation=4),
            nn.ReLU(),
            nn.Dropout(_DROPPED),
            nn.Conv1d(_WIDTH, _WIDTH, 3, dilation=4),
            nn.ReLU(),
            nn.Dropout(_DROPPED),
            nn.Conv1d(_WIDTH, _WIDTH, 8),
            nn.ReLU(),
            nn.Dropout(_DROPPED),
        )
        self.head = nn.Conv1d(_WIDTH, len(CONTROLS), 1)

    def forward(self, mel_BMW: torch.Tensor) -> torch.Tensor:
        """Return (B, 8) float32 in [0, 1], `phonemes.CONTROLS`; silence gives zeros.

        Args:
            mel_BMW: (B, 80, 32) float32 in [-4, 4], Wav2Lip's log-mel of speech brought to
                -20 dBFS RMS, from 17 steps before the frame's time to 14 after it.
        """
        return self.track(mel_BMW)[:, :, 0]

    def track(self, mel_BMS: torch.Tensor) -> torch.Tensor:
        """Return (B, 8, S - 31) float32 in [0, 1]: the controls of every full window, in order."""
        return at_rest(torch.sigmoid(self.head(self.hidden(mel_BMS))))

    def hidden(self, mel_BMS: torch.Tensor) -> torch.Tensor:
        """Return (B, width, S - 31) float32 >= 0, from which `head` makes the controls' logits."""
        heard: torch.Tensor = self.layers(mel_BMS * 0.25)
        return heard


def at_rest(controls: torch.Tensor) -> torch.Tensor:
    """Return controls in [0, 1] of which the faintest are 0 and 1 stays 1."""
    return ((controls - _REST) / (1 - 2 * _REST)).clamp(0.0, 1.0)
