"""Changes of log-mels in a batch, each time anew: other microphones, throats and gaps.

B clips, M mel bins (80), S steps.
"""

import torch
from torch import Tensor
from torch.nn import functional

_DB = 8 / 100
"""Of a level in dB, in the units of log-mel."""

_NODES, _BEND_DB = 8, 12.5
_THROAT_BINS = 6.75
_NOISE_DB = 6.25
_MASKED_BINS, _MASKED_STEPS = 10, 6


def varied(mel_BMS: Tensor) -> Tensor:
    """Return the batch with its spectra bent, stretched, roughened and partly hidden; (B, 80, S).

    Chance is torch's own, of the batch's device.
    """
    batch, bins, steps = mel_BMS.shape
    device = mel_BMS.device
    changed = _stretched(mel_BMS)
    nodes = torch.randn(batch, 1, _NODES, device=device) * _BEND_DB * _DB
    bend = functional.interpolate(nodes, bins, mode="linear", align_corners=True)
    changed = changed + bend.transpose(1, 2) + torch.randn(batch, 1, 1, device=device) * 2 * _DB
    rough = torch.rand(batch, 1, 1, device=device) * _NOISE_DB * _DB
    changed = changed + torch.randn_like(changed) * rough
    hidden = _some(batch, bins, _MASKED_BINS, device)[:, :, None]
    hidden = hidden | _some(batch, steps, _MASKED_STEPS, device)[:, None]
    quiet = changed.mean(dim=(1, 2), keepdim=True)
    return torch.where(hidden, quiet, changed).clamp(-4, 4)


def _stretched(mel_BMS: Tensor) -> Tensor:
    """Return spectra moved up or down, most in the middle: formants of other throats."""
    batch, bins, _ = mel_BMS.shape
    shift = (torch.rand(batch, 1, device=mel_BMS.device) * 2 - 1) * _THROAT_BINS
    place = torch.arange(bins, device=mel_BMS.device, dtype=torch.float32)
    # Formants lie above bin 8; what voices have below it stays.
    amount = ((place - 4) / 16).clamp(0, 1) * ((bins - 1 - place) / 16).clamp(0, 1)
    source = (place + shift * amount).clamp(0, bins - 1)
    low = source.floor().long().clamp(max=bins - 2)
    share = (source - low)[:, :, None]
    index = low[:, :, None].expand(-1, -1, mel_BMS.shape[2])
    return mel_BMS.gather(1, index) * (1 - share) + mel_BMS.gather(1, index + 1) * share


def _some(batch: int, size: int, widest: int, device: torch.device) -> Tensor:
    """Return (B, size) bool, a stretch of up to `widest` in half of the batch."""
    start = torch.rand(batch, 1, device=device) * size
    width = torch.rand(batch, 1, device=device) * widest
    width = width * (torch.rand(batch, 1, device=device) < 0.5)
    place = torch.arange(size, device=device)
    return (place >= start) & (place < start + width)
