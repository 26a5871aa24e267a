"""The session loop: order, flow control and cancellation."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from app.pipeline.config import SessionConfig
from app.pipeline.mouth import LowerFace
from app.pipeline.session import Lips, Scene, render
from app.values import FrameGroup, LipGroup, Motion

SIDE = 96


@dataclass
class FakeModels:
    """Paints the frame's number into every pixel, and counts what runs."""

    running: int = 0
    most: int = 0
    started: int = 0
    finished: int = 0
    delays_s: list[float] = field(default_factory=list)
    fail_at: int | None = None

    async def animate(self, motion: Motion) -> FrameGroup:
        self.running += 1
        self.started += 1
        self.most = max(self.most, self.running)
        try:
            if self.delays_s:
                await asyncio.sleep(self.delays_s[self.started % len(self.delays_s)])
            if self.fail_at is not None and motion.pose[0, 0] >= self.fail_at:
                raise RuntimeError("model")
            numbers = motion.pose[:, 0].astype(np.uint8)
            pixels = np.repeat(numbers, SIDE * SIDE * 3).reshape(-1, SIDE, SIDE, 3)
            self.finished += 1
            return FrameGroup(pixels, np.repeat(_face()[None], len(motion), axis=0))
        finally:
            self.running -= 1

    async def paint(self, group: LipGroup) -> NDArray[np.uint8]:
        assert group.mel.shape == (len(group), 80, 16)
        return group.crops

    def scene(self, num_frames: int) -> Scene:
        pose = np.zeros((num_frames, 3), np.float32)
        pose[:, 0] = np.arange(num_frames)
        motion = Motion(pose, np.zeros((num_frames, 2), np.float32))
        lips = Lips(
            windows=lambda first, last: np.zeros((last - first, 80, 16), np.float32),
            paint=self.paint,
            crops=LowerFace(32),
        )
        return Scene(num_frames, lambda frames: self.animate(motion[frames]), lips)


def _face() -> NDArray[np.float32]:
    points = np.random.default_rng(0).uniform(30, 60, (478, 2)).astype(np.float32)
    points[[33, 133, 362, 263]] = [[30, 35], [40, 35], [50, 35], [60, 35]]
    points[[1, 13, 14, 152]] = [[45, 45], [45, 55], [45, 55], [45, 66]]
    return points


@pytest.mark.parametrize("num_frames", [1, 7, 8, 9, 40])
async def test_frames_come_once_and_in_order_when_groups_finish_out_of_order(
    num_frames: int,
) -> None:
    models = FakeModels(delays_s=[0.02, 0.0, 0.01])
    seen = [
        int(frame[0, 0, 0])
        async for group in render(models.scene(num_frames), SessionConfig(groups_in_flight=4))
        for frame in group.pixels
    ]
    assert seen == list(range(num_frames))


async def test_a_slow_reader_stops_the_models() -> None:
    models = FakeModels()
    groups = render(models.scene(80), SessionConfig())
    await anext(groups)
    await asyncio.sleep(0.05)
    assert models.started == 2
    await groups.aclose()


async def test_no_more_than_two_groups_are_in_flight() -> None:
    models = FakeModels(delays_s=[0.003])
    async for _ in render(models.scene(80), SessionConfig()):
        assert models.running <= 1
    assert models.most == 2


async def test_closing_cancels_what_is_under_way() -> None:
    models = FakeModels(delays_s=[0.0, 0.0, 30.0])
    groups = render(models.scene(80), SessionConfig())
    await anext(groups)
    await groups.aclose()
    assert models.running == 0
    assert models.started <= 3


async def test_an_error_of_a_model_ends_the_session_and_nothing_runs_on() -> None:
    models = FakeModels(fail_at=16)
    groups = render(models.scene(80), SessionConfig())
    await anext(groups)
    await anext(groups)
    with pytest.raises(RuntimeError, match="model"):
        await anext(groups)
    assert models.running == 0


async def test_the_work_on_a_group_is_surrounded() -> None:
    told: list[str] = []

    @asynccontextmanager
    async def around(frames: slice) -> AsyncGenerator[None]:
        told.append(f"{frames.start}-{frames.stop}")
        yield
        told.append("done")

    async def shoot(frames: slice) -> FrameGroup:
        told.append("shoot")
        pixels = np.zeros((frames.stop - frames.start, 2, 2, 3), np.uint8)
        return FrameGroup(pixels, np.zeros((len(pixels), 478, 2), np.float32))

    scene = Scene(5, shoot, None, around=around)
    config = SessionConfig(group_frames=4, groups_in_flight=1)
    assert [len(group.pixels) async for group in render(scene, config)] == [4, 1]
    assert told == ["0-4", "shoot", "done", "4-5", "shoot", "done"]
