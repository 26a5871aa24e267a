"""An uploaded video as a session meets it: pictures in order, and the face in them.

T frames, H/W pixels, P mesh points (478).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.timeline import ping_pong

State = TypeVar("State")


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """Consecutive frames of a video, and where the followed face is.

    Attributes:
        pixels: (T, H, W, 3) uint8 RGB.
        points: (T, 478, 3) float32 image px; meaningless where the face is not seen.
        seen: (T,) bool, whether the frame shows the face.
    """

    pixels: NDArray[np.uint8]
    points: NDArray[np.float32]
    seen: NDArray[np.bool_]


Read = Callable[[Sequence[int]], Awaitable[NDArray[np.uint8]]]
"""Returns the pictures of slots, (T, H, W, 3) uint8 RGB; slots go up or down by one."""

Follow = Callable[
    [NDArray[np.uint8], Sequence[float], State],
    Awaitable[tuple[NDArray[np.float32], NDArray[np.bool_], State]],
]
"""Follows a face through pictures at times in seconds, from a state on: points (T, 478, 3), whether
it is seen (T,), and the state after them."""


class Footage(Generic[State]):
    """Frames of a video from its start on; past its end it runs back, and forth again.

    Decoding and following a face go on from where they were, so groups are taken in order and one
    after the other, whoever asks meanwhile.

    Args:
        read: of the video.
        follow: of the face.
        state: of following before the first frame.
        num_slots: frames of the video at `fps`.
        fps: of the session.
    """

    def __init__(
        self, read: Read, follow: Follow[State], state: State, num_slots: int, fps: Fraction
    ) -> None:
        self._read = read
        self._follow = follow
        self._state = state
        self._num_slots = num_slots
        self._fps = fps
        self._turn = asyncio.Lock()  # first come, first served
        self._next = 0

    async def shot(self, frames: slice) -> Shot:
        """Return frames [start, stop), which follow those of the call before.

        Raises:
            ValueError: they do not.
        """
        async with self._turn:
            if frames.start != self._next:
                raise ValueError(f"frame {self._next} comes next, not {frames.start}")
            indices = range(frames.start, frames.stop)
            pixels = await self._read([ping_pong(index, self._num_slots) for index in indices])
            times_s = [float(index / self._fps) for index in indices]
            points, seen, self._state = await self._follow(pixels, times_s, self._state)
            self._next = frames.stop
            return Shot(pixels, points, seen)
