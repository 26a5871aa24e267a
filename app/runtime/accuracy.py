"""How far an engine's output is from the reference, as signal to noise."""

import math

from torch import Tensor


def snr_db(output: Tensor, reference: Tensor) -> float:
    """Return signal to noise in dB: infinite where nothing differs, and -infinite for a NaN.

    The signal is all of it: around its mean, pictures of made-up weights would have 6 dB less.

    Args:
        output: of any type; bytes count as numbers.
        reference: of the same shape.
    """
    wanted = reference.double()
    noise = (output.double() - wanted).square().sum().item()
    signal = wanted.square().sum().item()
    if not math.isfinite(noise) or not math.isfinite(signal):
        return -math.inf
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal else -math.inf
