"""Transfer of a driving motion to a face: the key points that the decoder is given.

`driven` (or `driven_video`) makes the motion, `adjusted` the key points. Both take any run of
frames, so a session may go on group by group with the same reference; only `driven_video` needs
a whole sequence, because it smooths. T frames, K key points (21).

Source: LivePortrait@1986663 src/live_portrait_pipeline.py. Deviates: its expression-friendly
option is left out, because in the one case that it acts in, it multiplies by the ratio of two
equal sizes.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.driving import HeadMotion, Region, TransferSettings
from app.variants.liveportrait.motion import FaceMotion
from app.variants.liveportrait.neutral import NEUTRAL_EXP
from app.variants.liveportrait.ratios import eye_inputs, lip_inputs
from app.variants.liveportrait.retargeting import Retargeting
from app.variants.liveportrait.smoothing import OBSERVATION_VARIANCE, smooth

Floats = NDArray[np.float32]

LIPS_SHUT_RATIO: Final = 0.03
"""Lips less open than this in the source are not shut first."""
EYES_SHUT_RATIO: Final = 0.18
EYES_OPEN_RATIO: Final = 0.39
"""What a source video's eyes are kept at when its first frame has them shut."""

_LIP_POINTS = (6, 12, 14, 17, 19, 20)
_EYE_POINTS = (11, 13, 15, 16, 18)
# Of an expression that is not taken as a difference, only this much is free of the driving
# face's shape: point and axes.
_SHAPELESS: Final = (
    *((point, (0, 1, 2)) for point in (1, 2, 6, *range(11, 21))),
    *((3, (1,)), (4, (1,)), (5, (2,)), (8, (2,)), (9, (1, 2))),
)


@dataclass(frozen=True, slots=True, eq=False)
class Openings:
    """How far eyes and lips are open, as `ratios` measures it.

    Attributes:
        source_eyes: (T or 1, 2) float32.
        source_lips: (T or 1, 1) float32.
        driving_eyes: (T, 2) float32; None if the driving sequence does not say.
        driving_lips: (T, 1) float32 or None.
        first_eyes: (1, 2) float32, of the source's first frame; None if that is row 0 here.
    """

    source_eyes: Floats
    source_lips: Floats
    driving_eyes: Floats | None = None
    driving_lips: Floats | None = None
    first_eyes: Floats | None = None


def reference(driving: HeadMotion, settings: TransferSettings) -> HeadMotion:
    """Return the one motion, T = 1, that relative movement is measured from.

    It is the first of several. A single one, as of a driving picture, has pose and expression at
    once: its pose is taken as the head's rest, a mean neutral expression as the face's.
    """
    if len(driving) > 1:
        return driving[:1]
    forgets_eyes = settings.as_published and settings.region == "eyes"
    return replace(driving, exp=np.zeros_like(NEUTRAL_EXP) if forgets_eyes else NEUTRAL_EXP)


def driven(
    source: FaceMotion, driving: HeadMotion, first: HeadMotion, settings: TransferSettings
) -> FaceMotion:
    """Return the motion of a still source: the source's, moved by the driving's.

    Args:
        source: of the photo, T = 1.
        driving: T frames.
        first: of `reference`, T = 1.
        settings: region and relative are used.
    """
    moved = _moved(source, driving, first, settings.relative)
    exp = moved.exp if settings.relative else _shapeless(source.exp, moved.exp)
    return _within(settings.region, source, replace(moved, exp=exp))


def driven_video(
    source: FaceMotion,
    driving: HeadMotion,
    settings: TransferSettings,
    observation_variance: float = OBSERVATION_VARIANCE,
) -> FaceMotion:
    """Return the motion of a source that moves itself, smoothed over time.

    Smoothed rotations are not made orthogonal again, as published.

    Args:
        source: T frames.
        driving: T frames, or a single one for all.
        settings: region and relative are used.
        observation_variance: of the smoothing; the larger, the smoother.
    """
    moved = _moved(source, driving, reference(driving, settings), settings.relative)
    if settings.relative:
        moved = replace(moved, scale=source.scale, t=source.t)
    if len(driving) > 1:
        moved = replace(
            moved,
            exp=smooth(moved.exp, observation_variance),
            rotation=smooth(moved.rotation, observation_variance),
        )
    return _within(settings.region, source, replace(moved, exp=_shapeless(source.exp, moved.exp)))


def adjusted(
    source: FaceMotion,
    moved: FaceMotion,
    settings: TransferSettings,
    nets: Retargeting,
    openings: Openings,
) -> Floats:
    """Return the key points for the decoder, (T, 21, 3) float32.

    Args:
        source: T frames, or one for all.
        moved: of `driven` or `driven_video`, T frames.
        settings: all but region are used.
        nets: the stitching and retargeting nets.
        openings: the source's, and the driving's where they are retargeted.

    Raises:
        ValueError: eyes or lips are to be retargeted and the driving's opening is not known.
    """
    x_s, x = source.key_points(), moved.key_points()
    if settings.retarget_eyes or settings.retarget_lips:
        if settings.relative and settings.as_published:
            x = np.broadcast_to(x_s, x.shape)
        x = x + _retargeted(x_s, settings, nets, openings)
    if settings.stitching:
        x = nets.stitched(x_s, x)
    if not (settings.retarget_eyes or settings.retarget_lips):
        x = x + _normalised(x_s, settings, nets, openings)
    return np.asarray(x_s + np.float32(settings.multiplier) * (x - x_s), np.float32)


def _moved(
    source: FaceMotion, driving: HeadMotion, first: HeadMotion, relative: bool
) -> FaceMotion:
    """Return the source driven in every respect."""
    frames = max(len(source), len(driving))
    if not relative:
        scale = np.broadcast_to(source.scale, (frames, 1))
        return FaceMotion(*(driving.rotation, driving.exp, scale, driving.t), source.kp)
    turn = driving.rotation @ first.rotation.transpose(0, 2, 1)
    return FaceMotion(
        rotation=np.asarray(turn @ source.rotation, np.float32),
        exp=source.exp + driving.exp - first.exp,
        scale=source.scale * driving.scale / first.scale,
        t=source.t + driving.t - first.t,
        kp=source.kp,
    )


def _shapeless(source_exp: Floats, exp: Floats) -> Floats:
    """Return `exp` where it is free of the driving face's shape, and the source's elsewhere."""
    mask = np.zeros(source_exp.shape[1:], bool)
    for point, axes in _SHAPELESS:
        mask[point, list(axes)] = True
    return np.where(mask, exp, source_exp)


def _within(region: Region, source: FaceMotion, moved: FaceMotion) -> FaceMotion:
    """Return the source with only a region of it moved."""
    match region:
        case "all":
            return moved
        case "pose":
            return replace(moved, exp=source.exp, scale=source.scale)
        case "exp":
            return replace(source, exp=moved.exp)
        case "lip" | "eyes":
            points = list(_LIP_POINTS if region == "lip" else _EYE_POINTS)
            exp = np.broadcast_to(
                source.exp, np.broadcast_shapes(source.exp.shape, moved.exp.shape)
            )
            exp = exp.copy()
            exp[:, points] = moved.exp[:, points]
            return replace(source, exp=exp)


def _retargeted(
    x_s: Floats, settings: TransferSettings, nets: Retargeting, openings: Openings
) -> Floats:
    """Return the changes that bring eyes and lips to the driving's opening: (T, 21, 3)."""
    changes: Floats = np.zeros((1, 1, 1), np.float32)
    if settings.retarget_eyes:
        eyes = eye_inputs(openings.source_eyes, _known(openings.driving_eyes))
        changes = changes + nets.eye_changes(x_s, eyes)
    if settings.retarget_lips:
        lips = lip_inputs(openings.source_lips, _known(openings.driving_lips))
        changes = changes + nets.lip_changes(x_s, lips)
    return changes


def _normalised(
    x_s: Floats, settings: TransferSettings, nets: Retargeting, openings: Openings
) -> Floats:
    """Return the changes that shut open lips and keep eyes open: (T or 1, 21, 3)."""
    changes: Floats = np.zeros((1, 1, 1), np.float32)
    if settings.shut_lips and settings.relative:
        shut = lip_inputs(openings.source_lips, np.zeros((1, 1), np.float32))
        are_open = openings.source_lips[:, :, None] >= LIPS_SHUT_RATIO
        changes = changes + nets.lip_changes(x_s, shut) * are_open
    if settings.keep_eyes:
        first = openings.source_eyes[:1] if openings.first_eyes is None else openings.first_eyes
        first = first.mean(axis=1, keepdims=True)
        kept = np.where(first < EYES_SHUT_RATIO, EYES_OPEN_RATIO, first).astype(np.float32)
        changes = changes + nets.eye_changes(x_s, eye_inputs(openings.source_eyes, kept))
    return changes


def _known(ratios: Floats | None) -> Floats:
    if ratios is None:
        raise ValueError("the driving sequence has no opening ratios to retarget to")
    return ratios
