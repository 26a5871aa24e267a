"""Videos that were cut: what of them arrived whole, and whether it is what it should be.

T frames, H/W px.
"""

import numpy as np
from numpy.typing import NDArray

from app.bench.fragments import FragmentReader
from app.media.boxes import HEAD_BYTES
from app.media.frames import decode_frames


def whole_fragments(video: bytes) -> tuple[bytes, int]:
    """Return the part of a fragmented MP4 up to its last whole fragment, and its frames."""
    at = end = 0
    kind = b""
    while at + HEAD_BYTES <= len(video):
        size, kind = int.from_bytes(video[at : at + 4]), video[at + 4 : at + 8]
        if size < HEAD_BYTES or at + size > len(video):
            break
        at += size
        if kind == b"mdat":
            end = at
    return video[:end], FragmentReader().feed(video[:end]) if end else 0


def worst_psnr_db(video: bytes, wanted: bytes) -> float:
    """Return the PSNR of the frame that differs most from the same one of another video.

    Args:
        video: the other one, or less of it.
        wanted: what it should be.

    Returns:
        In dB; infinite if all are equal, 0 where `video` has frames that `wanted` has not.
    """
    if wanted.startswith(video):
        return float("inf")
    worst_db = float("inf")
    frames = decode_frames(wanted)
    for frame_HW3 in decode_frames(video):
        other_HW3 = next(frames, None)
        if other_HW3 is None or other_HW3.shape != frame_HW3.shape:
            return 0.0
        worst_db = min(worst_db, _psnr_db(frame_HW3, other_HW3))
    return worst_db


def _psnr_db(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    error = float(np.square(one.astype(np.float32) - other).mean())
    return float(10 * np.log10(255**2 / error)) if error else float("inf")
