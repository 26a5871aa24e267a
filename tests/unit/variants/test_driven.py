"""Driving performances for heads that only turn and blink."""

import numpy as np
import pytest
from numpy.typing import NDArray

from app.driving import Driven, HeadMotion, Performance, Region, TransferSettings
from app.values import Motion
from app.variants.driven import as_motion
from app.variants.liveportrait.pose import rotations

ROWS = [(0.0, 0.0, 0.0), (10.0, 0.0, 0.0), (0.0, 8.0, 0.0), (0.0, 0.0, -12.0)]
"""Yaw, pitch and roll as `Motion` counts them."""


def turns(rows: list[tuple[float, float, float]]) -> NDArray[np.float32]:
    yaw, pitch, roll = (np.array(rows, np.float32)[:, axis : axis + 1] for axis in range(3))
    return rotations(pitch, -yaw, roll)


def performed(rows: list[tuple[float, float, float]], eyes: list[float]) -> Performance:
    frames = len(rows)
    motion = HeadMotion(
        turns(rows),
        np.zeros((frames, 21, 3), np.float32),
        np.ones((frames, 1), np.float32),
        np.zeros((frames, 3), np.float32),
    )
    return Performance(motion, np.repeat(np.array(eyes, np.float32)[:, None], 2, 1))


def followed(
    settings: TransferSettings,
    source: tuple[float, float, float] = (0, 0, 0),
    limits: tuple[float, float, float] | None = None,
) -> Motion:
    whole = performed(ROWS, [0.3, 0.3, 0.15, 0.0])
    return as_motion(Driven(whole, whole[:1], settings), turns([source])[0], limits)


def test_relative_poses_and_blinks_are_those_of_the_driving() -> None:
    motion = followed(TransferSettings())
    np.testing.assert_allclose(motion.pose, ROWS, atol=1e-4)
    np.testing.assert_allclose(motion.closure[:, 0], [0, 0, 0.5, 1], atol=1e-6)


def test_a_head_that_is_turned_in_the_photo_turns_as_far_again() -> None:
    motion = followed(TransferSettings(), source=(15, 0, 0))
    np.testing.assert_allclose(motion.pose[:2], ROWS[:2], atol=1e-4)


def test_absolute_poses_turn_the_photo_to_the_driving() -> None:
    motion = followed(TransferSettings(relative=False), source=(15, 0, 0))
    np.testing.assert_allclose(motion.pose[:2], [(-15, 0, 0), (-5, 0, 0)], atol=1e-4)


@pytest.mark.parametrize(
    ("region", "poses", "blinks"),
    [("pose", True, False), ("exp", False, True), ("eyes", False, True), ("all", True, True)],
)
def test_regions(region: Region, poses: bool, blinks: bool) -> None:
    motion = followed(TransferSettings(region=region))
    assert bool(motion.pose.any()) == poses
    assert bool(motion.closure.any()) == blinks


def test_the_multiplier_scales_and_limits_are_soft() -> None:
    half = followed(TransferSettings(multiplier=0.5))
    np.testing.assert_allclose(half.pose, np.array(ROWS) / 2, atol=1e-4)
    twice = followed(TransferSettings(multiplier=3.0), limits=(12, 10, 12))
    assert np.abs(twice.pose).max() < 12
    assert twice.pose[1, 0] > 11


def test_eyes_that_nobody_measured_stay_open() -> None:
    whole = Performance(performed(ROWS, [0.3] * 4).motion)
    motion = as_motion(Driven(whole, whole[:1], TransferSettings()), turns([(0, 0, 0)])[0])
    assert not motion.closure.any()
