"""The idle motion, which nobody drives."""

import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.pipeline.motion import GAZE_LIMIT_DEG, SWAY_DEG, idle_motion, still_motion

FPS = Fraction(25)
MINUTE = 25 * 60


def _blinks(closure: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Return the first frame and the frame past the last of each blink of one eye."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], closure > 0, [0]]).astype(int)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def test_a_still_motion_is_the_photo() -> None:
    motion = still_motion(5)
    assert len(motion) == 5
    assert not motion.pose.any()
    assert not motion.closure.any()


@given(seed=st.integers(0, 2**63), frames=st.integers(0, 400), cut=st.integers(0, 400))
@settings(max_examples=40, deadline=None)
def test_fewer_frames_are_the_beginning_of_more(seed: int, frames: int, cut: int) -> None:
    whole, part = idle_motion(frames + cut, FPS, seed), idle_motion(frames, FPS, seed)
    assert np.array_equal(whole[:frames].pose, part.pose)
    assert np.array_equal(whole[:frames].closure, part.closure)


@pytest.mark.parametrize("fps", [Fraction(50), Fraction(25), Fraction(30000, 1001)])
def test_the_rate_of_frames_only_samples_the_motion(fps: Fraction) -> None:
    once, twice = idle_motion(400, fps, 5), idle_motion(800, 2 * fps, 5)
    assert np.abs(twice.pose[::2] - once.pose).max() < 1e-4
    assert np.abs(twice.closure[::2] - once.closure).max() < 1e-4


@pytest.mark.parametrize("seed", range(8))
def test_the_sway_starts_at_the_photo_and_keeps_its_bounds(seed: int) -> None:
    pose = idle_motion(MINUTE, FPS, seed).pose
    assert not pose[0].any()
    assert (np.abs(pose[:3]).max(0) < 0.3).all()
    assert (np.abs(pose).max(0) <= SWAY_DEG).all()
    assert (np.abs(pose).max(0) > 0.5 * np.array(SWAY_DEG)).all()
    assert (np.abs(np.diff(pose, axis=0)) * 25).max() < 8


def test_the_sway_does_not_repeat_itself() -> None:
    yaw = idle_motion(2 * MINUTE, FPS, 1).pose[:, 0]
    window = yaw[250:500]
    gaps = [np.abs(yaw[k : k + 250] - window).mean() for k in range(400, 2500, 5)]
    assert min(gaps) > 0.15


@pytest.mark.parametrize("seed", range(8))
def test_blinks_come_at_a_human_rate_and_shut_both_eyes(seed: int) -> None:
    closure = idle_motion(MINUTE, FPS, seed).closure
    assert closure.min() >= 0
    assert closure.max() <= 1
    assert not closure[: int(0.8 * 25)].any()
    left, right = _blinks(closure[:, 0]), _blinks(closure[:, 1])
    assert 10 <= len(left) <= 20
    assert len(left) == len(right)
    for (a, b), (c, d) in zip(left, right, strict=True):
        assert abs(a - c) <= 1
        assert 3 <= b - a <= 10
        assert closure[a:b, 0].max() > 0.8
        assert closure[c:d, 1].max() > 0.8
    starts = np.array([a for a, _ in left])
    assert np.diff(starts).std() > 5


def test_seeds_differ() -> None:
    assert np.abs(idle_motion(100, FPS, 0).pose - idle_motion(100, FPS, 1).pose).max() > 0.1


def test_another_process_gives_the_same_motion() -> None:
    program = (
        "from fractions import Fraction; from app.pipeline.motion import idle_motion;"
        "m = idle_motion(60, Fraction(25), 7); print(m.pose.tobytes().hex())"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == idle_motion(60, FPS, 7).pose.tobytes().hex()


@given(
    seed=st.integers(0, 2**32),
    start=st.integers(0, 100_000),
    frames=st.integers(1, 60),
    fps=st.sampled_from([FPS, Fraction(30000, 1001), Fraction(60)]),
)
@settings(max_examples=20, deadline=None)
def test_a_motion_made_piece_by_piece_is_the_whole(
    seed: int, start: int, frames: int, fps: Fraction
) -> None:
    whole = idle_motion(start + frames, fps, seed)[start : start + frames]
    piece = idle_motion(frames, fps, seed, start)
    assert np.abs(piece.pose - whole.pose).max() < 1e-6
    assert np.abs(piece.closure - whole.closure).max() < 1e-6
    assert np.abs(piece.gestures - whole.gestures).max() < 1e-5


@pytest.mark.parametrize("seed", range(8))
def test_eyes_jump_and_rest_and_come_back(seed: int) -> None:
    motion = idle_motion(MINUTE, FPS, seed)
    gaze = motion.gestures[:, :2]
    assert not gaze[0].any()
    assert (np.abs(gaze).max(0) <= GAZE_LIMIT_DEG).all()
    steps = np.abs(np.diff(gaze[:, 0]))
    jumps = int((steps > 0.4).sum())
    assert 10 <= jumps <= 90
    assert np.median(steps) < 0.05
    assert np.abs(gaze.mean(0)).max() < 1


@pytest.mark.parametrize("seed", range(8))
def test_breath_comes_and_goes_at_a_resting_rate(seed: int) -> None:
    breath = idle_motion(MINUTE, FPS, seed).gestures[:, 3]
    assert breath[0] == 0
    assert np.abs(breath).max() <= 1
    rises = int(((breath[:-1] < 0) & (breath[1:] >= 0)).sum())
    assert 10 <= rises <= 20
    assert np.abs(np.diff(breath)).max() < 0.15


def test_a_still_motion_has_no_gesture() -> None:
    assert not still_motion(5).gestures.any()
    assert still_motion(5)[1:3].gestures.shape == (2, 4)
