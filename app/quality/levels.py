"""How loud the sound beneath each frame is."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from app.media.samples import decode_mono
from app.quality.passage import FPS


def levels_db(audio: bytes, num_frames: int) -> NDArray[np.float32]:
    """Return the RMS level of the sound beneath each frame, (T,) float32 dB."""
    samples, rate_hz = decode_mono(audio)
    edges = [round(i / FPS * rate_hz) for i in range(num_frames + 1)]
    parts = (samples[a:b] for a, b in pairwise(edges))
    powers = [float(np.mean(part**2)) if len(part) else 0.0 for part in parts]
    return (10 * np.log10(np.array(powers) + 1e-6)).astype(np.float32)
