"""Accents: nods and raised brows where the speech is stressed."""

from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from app.pipeline.accents import accented, stresses
from app.pipeline.motion import idle_motion

FPS = Fraction(25)
FRAMES = 500


def windows(loud: NDArray[np.bool_]) -> NDArray[np.float32]:
    steps = np.full((len(loud), 80, 16), -2.0, np.float32)
    steps[loud] = 1.5
    return steps


def bursts() -> NDArray[np.bool_]:
    return np.arange(FRAMES) % 20 < 4


def test_loud_syllables_are_stressed_and_quiet_ones_and_silence_are_not() -> None:
    stress = stresses(windows(bursts()))
    assert stress[bursts()].min() > 0.9
    assert not stress[~bursts()].any()
    assert not stresses(np.full((3, 80, 16), -4, np.float32)).any()


def test_accents_nod_and_raise_brows_and_leave_the_rest() -> None:
    idle = idle_motion(FRAMES, FPS, 4)
    moved = accented(idle, windows(bursts()), FPS, 4)
    nod, brows = moved.pose[:, 1] - idle.pose[:, 1], moved.gestures[:, 2]
    assert nod[bursts()].max() > 0.8
    assert brows[bursts()].max() > 0.4
    assert not nod[~bursts()].any()
    assert brows.min() >= 0
    assert brows.max() <= 1
    assert np.array_equal(moved.closure, idle.closure)
    assert np.array_equal(moved.pose[:, [0, 2]], idle.pose[:, [0, 2]])
    assert np.array_equal(moved.gestures[:, [0, 1, 3]], idle.gestures[:, [0, 1, 3]])


def test_not_every_stress_is_marked_and_seeds_differ() -> None:
    idle = idle_motion(FRAMES, FPS, 4)
    brows = [accented(idle, windows(bursts()), FPS, seed).gestures[:, 2] for seed in (4, 5)]
    assert (brows[0][bursts()] == 0).any()
    assert np.abs(brows[0] - brows[1]).max() > 0.1


@pytest.mark.parametrize("start", [0, 1, 133])
def test_a_piece_is_the_whole_s(start: int) -> None:
    heard = windows(bursts())
    whole = accented(idle_motion(FRAMES, FPS, 9), heard, FPS, 9)[start:]
    piece = idle_motion(FRAMES - start, FPS, 9, start)
    piece = accented(piece, heard[start:], FPS, 9, start)
    assert np.abs(piece.pose - whole.pose).max() < 1e-5
    assert np.abs(piece.gestures - whole.gestures).max() < 1e-5
