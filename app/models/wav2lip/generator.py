"""The Wav2Lip generator: speech and a face without its lower half to the speaking face.

B frames, T frames of a clip, M mel bins (80), S mel steps (16), H = W px (96).
"""

import torch
from torch import nn

from app.models.wav2lip.speech import speech_encoder
from app.models.wav2lip.unit import Unit, down, same, up

FACE_PX = 96


def _face_encoder() -> nn.ModuleList:
    """Return stages whose outputs are 96, 48, 24, 12, 6, 3 and 1 px wide."""
    return nn.ModuleList(
        [
            nn.Sequential(down(6, 16, 7, 1, 3)),
            nn.Sequential(down(16, 32, 3, 2, 1), same(32), same(32)),
            nn.Sequential(down(32, 64, 3, 2, 1), same(64), same(64), same(64)),
            nn.Sequential(down(64, 128, 3, 2, 1), same(128), same(128)),
            nn.Sequential(down(128, 256, 3, 2, 1), same(256), same(256)),
            nn.Sequential(down(256, 512, 3, 2, 1), same(512)),
            nn.Sequential(down(512, 512, 3), down(512, 512, 1)),
        ]
    )


def _decoder() -> nn.ModuleList:
    """Return stages whose outputs are 1, 3, 6, 12, 24, 48 and 96 px wide.

    Each takes the stage before, joined by the face encoder's output of that width.
    """
    return nn.ModuleList(
        [
            nn.Sequential(down(512, 512, 1)),
            nn.Sequential(Unit(nn.ConvTranspose2d(1024, 512, 3)), same(512)),
            nn.Sequential(up(1024, 512), same(512), same(512)),
            nn.Sequential(up(768, 384), same(384), same(384)),
            nn.Sequential(up(512, 256), same(256), same(256)),
            nn.Sequential(up(320, 128), same(128), same(128)),
            nn.Sequential(up(160, 64), same(64), same(64)),
        ]
    )


class Wav2Lip(nn.Module):
    """Paints the lower half of a face that speaks the given sound."""

    def __init__(self) -> None:
        super().__init__()
        self.speech_encoder = speech_encoder(residuals=1)
        self.face_encoder = _face_encoder()
        self.decoder = _decoder()
        self.painter = down(80, 32, 3, 1, 1)
        self.to_pixels = nn.Conv2d(32, 3, 1)

    def forward(self, mel_B1MS: torch.Tensor, faces_B6HW: torch.Tensor) -> torch.Tensor:
        """Return (B, 3, 96, 96) BGR in [0, 1], of the inputs' type; frames do not see each other.

        Args:
            mel_B1MS: (B, 1, 80, 16) log-mel in [-4, 4], 200 ms from the frame's time on.
            faces_B6HW: (B, 6, 96, 96) BGR in [0, 1]: the face with rows 48 to 95 zero, then a whole
                face of the same person for reference.
        """
        x = faces_B6HW
        skips = []
        for stage in self.face_encoder:
            x = stage(x)
            skips.append(x)
        x = self.speech_encoder(mel_B1MS)
        for stage, skip in zip(self.decoder, reversed(skips), strict=True):
            x = torch.cat([stage(x), skip], dim=1)
        return torch.sigmoid(self.to_pixels(self.painter(x)))

    def clips(self, mel_BT1MS: torch.Tensor, faces_B6THW: torch.Tensor) -> torch.Tensor:
        """Return (B, 3, T, 96, 96) BGR in [0, 1] of B clips of T frames.

        Args:
            mel_BT1MS: (B, T, 1, 80, 16), as `forward` takes.
            faces_B6THW: (B, 6, T, 96, 96), as `forward` takes.
        """
        batch = len(mel_BT1MS)
        mel = mel_BT1MS.transpose(0, 1).flatten(0, 1)
        faces = faces_B6THW.permute(2, 0, 1, 3, 4).flatten(0, 1)
        frames: torch.Tensor = self(mel, faces)
        return frames.reshape(-1, batch, *frames.shape[1:]).permute(1, 2, 0, 3, 4)
