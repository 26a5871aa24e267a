"""All samples of a recording at once, for tools and tests; the server never holds them.

N audio samples.
"""

import math

import numpy as np
from numpy.typing import NDArray

from app.errors import AudioTooShort
from app.media.recording import read_blocks


def decode_mono(data: bytes) -> tuple[NDArray[np.float32], int]:
    """Return the mean of the channels, (N,) float32 in [-1, 1], and the file's own rate in Hz.

    Args:
        data: as `app.media.recording.read_blocks` takes it.

    Raises:
        AudioTooShort: no samples.
        UnsupportedMedia: as `read_blocks`.
    """
    blocks = list(read_blocks(data, math.inf))
    if not blocks:
        raise AudioTooShort("The audio holds no samples.")
    mono = np.concatenate([block.samples.mean(axis=0, dtype=np.float32) for block in blocks])
    return mono, blocks[0].rate_hz
