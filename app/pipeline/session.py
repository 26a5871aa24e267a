"""The session loop: from frames and a log-mel to finished frames, group by group.

T frames of a group, S crop px, M mel bins (80).
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.pipeline.config import SessionConfig
from app.pipeline.mouth import to_crop
from app.pipeline.pace import FreePace, Pace
from app.values import FrameGroup, LipGroup

Shoot = Callable[[slice], Awaitable[FrameGroup]]
"""Makes frames [start, stop) as they are before any lip-sync; called in order."""

Paint = Callable[[LipGroup], Awaitable[NDArray[np.uint8]]]
"""Repaints mouth crops after the speech: (T, S, S, 3) uint8 RGB."""

Measure = Callable[[str], AbstractContextManager[None]]
"""Counts the time within as that of a stage, such as "cut", "paint" or "blend"."""

Windows = Callable[[int, int], NDArray[np.float32]]
"""Log-mel windows of frames [first, last): (T, 80, W) float32 in [-4, 4]; W is the model's."""


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
class Lips:
    """The lip-sync of a session.

    Attributes:
        windows: the speech of any range of frames.
        paint: the lip-sync model.
        crops: how the model's crops are cut and put back.
    """

    windows: Windows
    paint: Paint
    crops: Crops


@dataclass(frozen=True, slots=True)
class Scene:
    """All that a session renders, and what renders it.

    Attributes:
        num_frames: of the whole video.
        shoot: makes its frames.
        lips: repaint the mouths of those that show the face; None leaves them as they are.
        measure: told how long the stages take.
        around: surrounds the work on the frames of a group.
    """

    num_frames: int
    shoot: Shoot
    lips: Lips | None
    measure: Measure = lambda stage: nullcontext()
    around: Callable[[slice], AbstractAsyncContextManager[object]] = lambda frames: nullcontext()


async def render(
    scene: Scene, config: SessionConfig, pace: Pace | None = None
) -> AsyncGenerator[FrameGroup, None]:
    """Yield the finished frames of a scene in order, in the groups and at the pace of `pace`.

    By default that is as fast as it can, `config.group_frames` at a time.

    Later groups are in the models while the caller uses an earlier one, but never more than
    `config.groups_in_flight` exist at once, so a slow caller slows its own session only. Closing
    the generator cancels what is under way and waits until it is gone.
    """
    pace = pace or FreePace(config)
    pending: deque[asyncio.Task[FrameGroup]] = deque()
    groups = pace.groups(scene.num_frames)
    try:
        while True:
            while len(pending) < config.groups_in_flight:
                frames = next(groups, None)
                if frames is None:
                    break
                pending.append(asyncio.create_task(_finish_in_time(scene, frames, pace)))
            if not pending:
                return
            group = await pending[0]
            yield group
            pending.popleft()
    finally:
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)


async def _finish_in_time(scene: Scene, frames: slice, pace: Pace) -> FrameGroup:
    await pace.allow(frames)
    async with scene.around(frames):
        return await _finish(scene, frames)


async def _finish(scene: Scene, frames: slice) -> FrameGroup:
    """Shoot one group, then repaint its mouths where the face is seen."""
    group, lips = await scene.shoot(frames), scene.lips
    if lips is None or (group.seen is not None and not group.seen.any()):
        return group
    speech = lips.windows(frames.start, frames.stop)
    if group.seen is None or group.seen.all():
        pixels = await _repainted(scene, lips, group.pixels, group.points, speech)
    else:
        seen, pixels = group.seen, group.pixels.copy()
        pixels[seen] = await _repainted(
            scene, lips, group.pixels[seen], group.points[seen], speech[seen]
        )
    return FrameGroup(pixels, group.points, group.seen)


async def _repainted(
    scene: Scene,
    lips: Lips,
    pixels_THW3: NDArray[np.uint8],
    points_TK2: NDArray[np.float32],
    speech_TMS: NDArray[np.float32],
) -> NDArray[np.uint8]:
    """Return frames whose mouths follow the speech, (T, H, W, 3) uint8 RGB."""
    transforms = lips.crops.place(points_TK2)
    with scene.measure("cut"):
        crops = await asyncio.to_thread(lips.crops.cut, pixels_THW3, transforms)
    with scene.measure("paint"):
        painted = await lips.paint(LipGroup(crops, to_crop(points_TK2, transforms), speech_TMS))
    with scene.measure("blend"):
        return await asyncio.to_thread(lips.crops.blend, pixels_THW3, crops, painted, transforms)
