"""Performances from videos and sequences, and the footage that videos are."""

import asyncio
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from app.driving import Performance
from app.pipeline.footage import Footage
from app.pipeline.performing import DrivingSequence, DrivingVideo
from tests.unit.pipeline.test_holding import performance

FPS = Fraction(25)


def yaws(made: Performance) -> NDArray[np.float32]:
    return made.motion.exp[:, 0, 0] * 100


async def test_a_sequence_at_its_own_rate_is_itself_there_and_back() -> None:
    sequence = DrivingSequence(performance([0, 1, 2, 3]), FPS, FPS)
    made = np.concatenate(
        [yaws(await sequence.perform(slice(start, start + 5))) for start in (0, 5)]
    )
    np.testing.assert_allclose(made, [0, 1, 2, 3, 2, 1, 0, 1, 2, 3], atol=1e-5)


async def test_a_sequence_at_twice_its_rate_is_interpolated() -> None:
    sequence = DrivingSequence(performance([0, 1, 2]), FPS, 2 * FPS)
    made = await sequence.perform(slice(0, 6))
    np.testing.assert_allclose(yaws(made), [0, 0.5, 1, 1.5, 2, 1.5], atol=1e-5)


async def test_a_sequence_without_openings_stays_without() -> None:
    whole = performance([0, 1])
    made = await DrivingSequence(Performance(whole.motion), FPS, FPS).perform(slice(0, 2))
    assert made.eyes is None
    assert made.lips is None


class Video:
    """Pictures whose grey is their number; the face is seen in all but some."""

    def __init__(self, hidden: Sequence[int] = ()) -> None:
        self.hidden = hidden
        self.read_slots: list[int] = []
        self.times_s: list[float] = []

    async def read(self, slots: Sequence[int]) -> NDArray[np.uint8]:
        self.read_slots += slots
        await asyncio.sleep(0.001 * (8 - len(self.read_slots) % 8))
        return np.stack([np.full((4, 4, 3), slot, np.uint8) for slot in slots])

    async def follow(
        self, pixels: NDArray[np.uint8], times_s: Sequence[float], state: int
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_], int]:
        assert state == len(self.times_s)
        self.times_s += times_s
        numbers = pixels[:, 0, 0, 0]
        points = np.zeros((len(pixels), 478, 3), np.float32)
        return points, ~np.isin(numbers, self.hidden), state + len(pixels)

    def footage(self, num_slots: int) -> Footage[int]:
        return Footage(self.read, self.follow, 0, num_slots, FPS)


async def test_footage_goes_there_and_back_in_order_while_time_goes_on() -> None:
    video = Video()
    footage = video.footage(3)
    await asyncio.gather(*(footage.shot(slice(start, start + 2)) for start in range(0, 8, 2)))
    assert video.read_slots == [0, 1, 2, 1, 0, 1, 2, 1]
    np.testing.assert_allclose(video.times_s, np.arange(8) / 25)


async def test_footage_is_taken_from_its_start_and_without_gaps() -> None:
    with pytest.raises(ValueError, match="frame 0 comes next"):
        await Video().footage(9).shot(slice(2, 4))


async def test_frames_without_the_face_are_filled_and_counted() -> None:
    async def watch(pixels: NDArray[np.uint8], points: NDArray[np.float32]) -> Performance:
        return performance([float(number) for number in pixels[:, 0, 0, 0]])

    video = Video(hidden=[3, 4])
    driving = DrivingVideo(video.footage(8), watch, performance([0.0]), FPS)
    made = [await driving.perform(slice(start, start + 4)) for start in (0, 4)]
    assert [len(part) for part in made] == [4, 4]
    assert driving.frames_without_face == 2
