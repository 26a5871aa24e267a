"""What the session loop needs of a video writer, whichever codec does the work."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class VideoWriter(Protocol):
    """Turns frames into a stream of bytes as they arrive; one per session, not shared by threads.

    T frames of a group, H/W pixels.
    """

    def write(self, pixels_THW3: NDArray[np.uint8]) -> bytes:
        """Return the bytes that make these frames playable, with the sound beneath them.

        Args:
            pixels_THW3: (T, H, W, 3) uint8 RGB, T >= 1, H and W as announced.
        """
        ...

    def finish(self) -> bytes:
        """Return the last bytes, after which the stream is complete and the writer closed."""
        ...

    @property
    def offset_s(self) -> float:
        """How far the sound written ends after the picture, in media seconds; 0 without sound."""
        ...

    def close(self) -> None:
        """Free the codecs, finished or not; may be called twice."""
        ...
