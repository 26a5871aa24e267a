"""SyncNet, the judge that Wav2Lip was trained against: do these lips speak this sound?

B windows, M mel bins (80), S mel steps (16), H px (48), W px (96), E embedding (512).
"""

import torch
from torch import nn
from torch.nn import functional

from app.models.wav2lip.speech import speech_encoder
from app.models.wav2lip.unit import down, same

WINDOW_FRAMES = 5


def _lips_encoder() -> nn.Sequential:
    return nn.Sequential(
        down(15, 32, 7, 1, 3),
        *(down(32, 64, 5, (1, 2), 1), same(64), same(64)),
        *(down(64, 128, 3, 2, 1), same(128), same(128), same(128)),
        *(down(128, 256, 3, 2, 1), same(256), same(256)),
        *(down(256, 512, 3, 2, 1), same(512), same(512)),
        *(down(512, 512, 3, 2, 1), down(512, 512, 3), down(512, 512, 1)),
    )


class SyncNet(nn.Module):
    """Embeds 200 ms of speech and of lips, so that what belongs together lies close."""

    def __init__(self) -> None:
        super().__init__()
        self.speech_encoder = speech_encoder(residuals=2)
        self.lips_encoder = _lips_encoder()

    def forward(
        self, mel_B1MS: torch.Tensor, lips_B15HW: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the embeddings of speech and of lips, each (B, 512), >= 0 and of length 1.

        Args:
            mel_B1MS: (B, 1, 80, 16) log-mel in [-4, 4], 200 ms from the first frame's time on.
            lips_B15HW: (B, 15, 48, 96) BGR in [0, 1]: the lower halves of five consecutive faces
                of 96 x 96 px at 25 frames/s, frame after frame.
        """
        speech_BE = self.speech_encoder(mel_B1MS).flatten(1)
        lips_BE = self.lips_encoder(lips_B15HW).flatten(1)
        return functional.normalize(speech_BE), functional.normalize(lips_BE)


def agreement(speech_BE: torch.Tensor, lips_BE: torch.Tensor) -> torch.Tensor:
    """Return (B,) in [0, 1], the cosine of embeddings of length 1: the more, the better in sync.

    Never negative, because embeddings follow a ReLU.
    """
    return (speech_BE * lips_BE).sum(dim=1)
