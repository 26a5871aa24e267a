"""What a driving performance means to a head that only turns and blinks."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from app.driving import Driven, Floats
from app.head_pose import pose_deg
from app.models.puppet.warp import POSE_LIMIT_DEG
from app.values import Motion

Limits = tuple[float, float, float]

EYES_SHUT_RATIO = 0.18
EYES_OPEN_RATIO = 0.36
"""What eyes are taken to open to where the driving's first frame has them shut."""


def limits_of(variant: Literal["puppet", "liveportrait"]) -> Limits | None:
    """Return the largest yaw, pitch and roll that a portrait model shows, degrees."""
    return POSE_LIMIT_DEG if variant == "puppet" else None


def as_motion(driven: Driven, source_rotation: Floats, limits_deg: Limits | None = None) -> Motion:
    """Return poses and blinks that follow a performance.

    Args:
        driven: T frames; region, relative and multiplier of its settings are followed. The
            expression is dropped, but for the eyes where their opening is known.
        source_rotation: (3, 3) float32, of the head in the photo, of `app.head_pose.rotation`.
        limits_deg: of yaw, pitch and roll, which poses come near to softly; None has none.
    """
    settings, performance = driven.settings, driven.performance
    frames = len(performance)
    pose: Floats = np.zeros((frames, 3), np.float32)
    if settings.region in ("all", "pose"):
        turn: NDArray[np.float32] = performance.motion.rotation
        if settings.relative:
            first = driven.first.motion.rotation.transpose(0, 2, 1)
            turn = np.asarray(turn @ first @ source_rotation, np.float32)
        pose = np.asarray(settings.multiplier * pose_deg(source_rotation.T @ turn), np.float32)
    if limits_deg is not None:
        limits: Floats = np.array(limits_deg, np.float32)
        pose = np.asarray(limits * np.tanh(pose / limits), np.float32)
    closure = np.zeros((frames, 2), np.float32)
    if settings.region in ("all", "exp", "eyes"):
        closure = _closure(driven) * min(settings.multiplier, 1.0)
    return Motion(pose.astype(np.float32), closure.astype(np.float32))


def _closure(driven: Driven) -> NDArray[np.float32]:
    """Return how far each eye is shut, (T, 2) float32 in [0, 1]; none where it is not known."""
    eyes, first = driven.performance.eyes, driven.first.eyes
    if eyes is None or first is None:
        return np.zeros((len(driven), 2), np.float32)
    # A first frame in the middle of a blink would have the eyes open wider than they can.
    rest = np.where(first < EYES_SHUT_RATIO, EYES_OPEN_RATIO, first)
    return np.asarray((1 - eyes / rest).clip(0, 1), np.float32)
