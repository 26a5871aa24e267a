"""The session loop: from a motion and a log-mel to finished frames, group by group.

T frames of a group, S crop px, M mel bins (80).
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.pipeline.config import SessionConfig
from app.pipeline.mouth import to_crop
from app.values import FrameGroup, LipGroup, Motion

Animate = Callable[[Motion], Awaitable[FrameGroup]]
"""Renders the session's portrait, one frame per row of the motion."""

Paint = Callable[[LipGroup], Awaitable[NDArray[np.uint8]]]
"""Repaints mouth crops after the speech: (T, S, S, 3) uint8 RGB."""

Measure = Callable[[str], AbstractContextManager[None]]
"""Counts the time within as that of a stage: "animate", "cut", "paint" or "blend"."""

Windows = Callable[[int, int], NDArray[np.float32]]
"""Log-mel windows of frames [first, last): (T, 80, 16) float32 in [-4, 4]."""


class Crops(Protocol):
    """What a lip-sync model is shown of frames, and how its answers are put back.

    A transform is a (2, 3) affine matrix from image px to crop px, pixel centres at .5.
    """

    def place(self, points_TK2: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the (T, 2, 3) float32 transforms of frames whose mesh points are given."""
        ...

    def cut(
        self, pixels_THW3: NDArray[np.uint8], transforms: NDArray[np.float32]
    ) -> NDArray[np.uint8]:
        """Return the crops, (T, S, S, 3) uint8 RGB."""
        ...

    def blend(
        self,
        pixels_THW3: NDArray[np.uint8],
        crops_in: NDArray[np.uint8],
        crops_out: NDArray[np.uint8],
        transforms: NDArray[np.float32],
    ) -> NDArray[np.uint8]:
        """Return frames with what a model made of the crops; nothing is written to."""
        ...


@dataclass(frozen=True, slots=True)
class Scene:
    """All that a session renders, and the models that render it.

    Attributes:
        motion: one row per frame of the whole video.
        windows: the speech of any range of frames.
        animate: the portrait-animation model, bound to this session's portrait.
        paint: the lip-sync model.
        crops: how the lip-sync model's crops are cut and put back.
        measure: told how long the stages take.
    """

    motion: Motion
    windows: Windows
    animate: Animate
    paint: Paint
    crops: Crops
    measure: Measure = lambda stage: nullcontext()


async def render(scene: Scene, config: SessionConfig) -> AsyncGenerator[FrameGroup, None]:
    """Yield the finished frames of a scene in order, `config.group_frames` at a time.

    Later groups are in the models while the caller uses an earlier one, but never more than
    `config.groups_in_flight` exist at once, so a slow caller slows its own session only. Closing
    the generator cancels what is under way and waits until it is gone.
    """
    pending: deque[asyncio.Task[FrameGroup]] = deque()
    starts = iter(range(0, len(scene.motion), config.group_frames))
    try:
        while True:
            while len(pending) < config.groups_in_flight:
                start = next(starts, None)
                if start is None:
                    break
                frames = slice(start, min(start + config.group_frames, len(scene.motion)))
                pending.append(asyncio.create_task(_finish(scene, frames)))
            if not pending:
                return
            group = await pending[0]
            yield group
            pending.popleft()
    finally:
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)


async def _finish(scene: Scene, frames: slice) -> FrameGroup:
    """Animate one group, then repaint its mouths."""
    with scene.measure("animate"):
        animated = await scene.animate(scene.motion[frames])
    transforms = scene.crops.place(animated.points)
    with scene.measure("cut"):
        crops = await asyncio.to_thread(scene.crops.cut, animated.pixels, transforms)
    points = to_crop(animated.points, transforms)
    speech = scene.windows(frames.start, frames.stop)
    with scene.measure("paint"):
        painted = await scene.paint(LipGroup(crops, points, speech))
    with scene.measure("blend"):
        blend = scene.crops.blend
        pixels = await asyncio.to_thread(blend, animated.pixels, crops, painted, transforms)
    return FrameGroup(pixels=pixels, points=animated.points)
