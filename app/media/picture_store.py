"""Pictures kept as JPEG, as many as fit into so many bytes.

H/W pixels.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

_QUALITY = 95
"""Of JPEG: 45 to 48 dB on videos of people, a fifteenth of the bytes."""


class PictureStore:
    """Keeps the pictures that were put into it last.

    JPEG, because each picture is had without its neighbours, forwards and backwards alike.

    Args:
        max_bytes: of all that is kept.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes, self._bytes = max_bytes, 0
        self._coded: dict[int, NDArray[np.uint8]] = {}  # by rank, the oldest one first

    def __contains__(self, rank: int) -> bool:
        """Whether a picture is kept."""
        return rank in self._coded

    @property
    def room(self) -> int:
        """How many pictures like those that are kept have room, 0 if none is kept."""
        return self._max_bytes * len(self._coded) // self._bytes if self._coded else 0

    def put(self, rank: int, pixels_HW3: NDArray[np.uint8]) -> None:
        """Keep a picture, (H, W, 3) uint8 RGB, unless it is; the oldest ones make room."""
        if rank in self._coded:
            return
        bgr = cv2.cvtColor(pixels_HW3, cv2.COLOR_RGB2BGR)
        coded = np.asarray(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1])
        self._coded[rank] = coded
        self._bytes += coded.nbytes
        while self._bytes > self._max_bytes:
            self._bytes -= self._coded.pop(next(iter(self._coded))).nbytes

    def picture(self, rank: int) -> NDArray[np.uint8]:
        """Return a picture that is kept, (H, W, 3) uint8 RGB."""
        return np.asarray(cv2.imdecode(self._coded[rank], cv2.IMREAD_COLOR_RGB), np.uint8)

    def clear(self) -> None:
        """Drop all pictures."""
        self._coded.clear()
        self._bytes = 0
