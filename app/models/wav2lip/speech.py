"""The speech half of both nets."""

from torch import nn

from app.models.wav2lip.unit import down, same


def speech_encoder(residuals: int) -> nn.Sequential:
    """Return the net that maps (B, 1, 80, 16) log-mel to (B, 512, 1, 1).

    Args:
        residuals: residual units on 256 channels, where the two nets differ.
    """
    return nn.Sequential(
        *(down(1, 32, 3, 1, 1), same(32), same(32)),
        *(down(32, 64, 3, (3, 1), 1), same(64), same(64)),
        *(down(64, 128, 3, 3, 1), same(128), same(128)),
        *(down(128, 256, 3, (3, 2), 1), *(same(256) for _ in range(residuals))),
        *(down(256, 512, 3), down(512, 512, 1)),
    )
