"""Pictures of a video, decoded one by one."""

import io
from collections.abc import Iterator

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from app.errors import UnsupportedMedia


def decode_frames(data: bytes) -> Iterator[NDArray[np.uint8]]:
    """Yield each picture of a video, (H, W, 3) uint8 RGB, in the order of presentation.

    Args:
        data: a whole file of any container that FFmpeg reads.

    Raises:
        UnsupportedMedia: it has no picture track, or cannot be decoded.
    """
    try:
        with av.open(io.BytesIO(data), "r", metadata_errors="replace") as container:
            for frame in container.decode(video=0):
                yield frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
    except (FFmpegError, IndexError):
        raise UnsupportedMedia("The file is not a video that can be read.") from None
