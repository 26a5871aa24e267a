"""A driving face that is lost: held, eased back, and followed again without a jump."""

import numpy as np
from numpy.typing import NDArray

from app.driving import HeadMotion, Performance
from app.pipeline.holding import EASE_BACK_S, EASE_IN_S, HOLD_S, Holding
from app.variants.liveportrait.pose import rotations

FPS = 25


def performance(yaws: list[float]) -> Performance:
    frames = len(yaws)
    yaw = np.array(yaws, np.float32)[:, None]
    none = np.zeros_like(yaw)
    motion = HeadMotion(
        rotations(none, yaw, none),
        np.asarray(np.repeat(yaw, 63, 1).reshape(frames, 21, 3) / 100, np.float32),
        np.ones((frames, 1), np.float32),
        np.zeros((frames, 3), np.float32),
    )
    return Performance(motion, np.full((frames, 2), 0.3, np.float32), none)


def filled(seen: list[bool], yaw: float = 20.0, group: int = 8) -> NDArray[np.float32]:
    """Return what is shown of a head at `yaw` wherever it is seen; rest is 0."""
    holding, shown = Holding(performance([0.0]), 1 / FPS), []
    for start in range(0, len(seen), group):
        part = np.array(seen[start : start + group])
        known = performance([yaw] * int(part.sum())) if part.any() else None
        made = holding.fill(part, known)
        assert len(made) == len(part)
        assert made.eyes is not None
        shown.append(made.motion.exp[:, 0, 0] * 100)
    return np.concatenate(shown)


def test_a_face_that_is_always_seen_is_followed_exactly_but_for_the_first_moments() -> None:
    shown = filled([True] * 40)
    np.testing.assert_allclose(shown[round(EASE_IN_S * FPS) :], 20, atol=1e-4)


def test_no_frame_is_missing_and_nothing_jumps_when_it_is_lost_and_found() -> None:
    seen = [True] * 30 + [False] * 60 + [True] * 40
    shown = filled(seen)
    assert len(shown) == len(seen)
    assert np.abs(np.diff(shown[12:])).max() < 20 / 5
    lost = 30
    np.testing.assert_allclose(shown[lost : lost + round(HOLD_S * FPS)], 20, atol=1e-3)
    back = lost + round((HOLD_S + EASE_BACK_S) * FPS) + 1
    np.testing.assert_allclose(shown[back:90], 0, atol=1e-3)
    np.testing.assert_allclose(shown[90 + round(EASE_IN_S * FPS) + 1 :], 20, atol=1e-3)


def test_groups_do_not_matter() -> None:
    seen = [False] * 5 + [True] * 20 + [False] * 30 + [True] * 9
    np.testing.assert_allclose(filled(seen, group=8), filled(seen, group=64), atol=1e-5)


def test_a_video_that_begins_without_the_face_begins_at_rest() -> None:
    np.testing.assert_allclose(filled([False] * 10 + [True])[:10], 0, atol=1e-6)


def test_rotations_stay_rotations() -> None:
    holding = Holding(performance([0.0]), 1 / FPS)
    holding.fill(np.array([True] * 20), performance([60.0] * 20))
    turned = holding.fill(np.array([False] * 40), None).motion.rotation
    unit = turned @ turned.transpose(0, 2, 1)
    np.testing.assert_allclose(unit, np.broadcast_to(np.eye(3), unit.shape), atol=1e-5)
