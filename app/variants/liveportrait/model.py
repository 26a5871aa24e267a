"""The published variant of the portrait-animation role: LivePortrait.

T frames, K key points (21), P mesh points (478).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from app.driving import Driven, DrivingFaces, HeadMotion, Performance
from app.values import FaceMesh, FrameGroup, ModelCard, Motion, Portrait
from app.variants.liveportrait.crop import SOURCE, cut, inverse, squares
from app.variants.liveportrait.image import to_inputs
from app.variants.liveportrait.landmarks import Landmarks, mesh_landmarks, mesh_points
from app.variants.liveportrait.motion import FaceMotion
from app.variants.liveportrait.nets import Nets
from app.variants.liveportrait.paste import Placement, feather, mesh_transform, paste, place
from app.variants.liveportrait.pose import rotations
from app.variants.liveportrait.ratios import eye_inputs, eye_ratios, lip_inputs, lip_ratios
from app.variants.liveportrait.transfer import (
    LIPS_SHUT_RATIO,
    Openings,
    adjusted,
    driven,
)
from app.variants.portrait import Finish

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Sitting:
    """A portrait as the nets see it; all that depends on it alone.

    Attributes:
        volume: (1, 32, 16, 64, 64), its appearance, on the animator's device.
        motion: how it looks, T = 1.
        key_points: (1, 21, 3) float32, posed.
        eyes: (1, 2) float32, opening of the image's left and right eye.
        lips: (1, 1) float32.
        shutting: (1, 21, 3) float32, changes of key points that shut the lips; 0 where they are.
        eyes_at_rest: (1, 21, 3) float32, what the eyes' net changes of eyes that stay as they are.
        placement: where the crop goes in the picture.
        mesh: (478, 3) float32, the face's mesh in the crop's coordinates, [-1, 1] inside.
        to_picture: (3, 3) float32, those coordinates to picture px, centres at .5.
    """

    volume: torch.Tensor
    motion: FaceMotion
    key_points: Floats
    eyes: Floats
    lips: Floats
    shutting: Floats
    eyes_at_rest: Floats
    placement: Placement
    mesh: Floats
    to_picture: Floats


class LivePortrait:
    """Moves a portrait's head and eyes, and shuts its lips for the lip-sync model.

    Args:
        nets: loaded.
        weights: where theirs come from.
        licence: of the weights.
        landmarks: finds the points that a face is cropped and measured by.
    """

    def __init__(
        self,
        nets: Nets,
        weights: Literal["published", "seeded"],
        licence: str,
        landmarks: Landmarks = mesh_landmarks,
    ) -> None:
        self._nets = nets
        self._landmarks = landmarks
        self.card = ModelCard(
            role="portrait",
            variant="liveportrait",
            backend=nets.animator.backend,
            precision=nets.animator.precision,
            licence=licence,
            embedded=False,
            device=nets.animator.device.type,
            weights=weights,
        )

    def prepare(self, portrait: Portrait, mesh: FaceMesh) -> Sitting:
        """Return all that depends on the portrait alone."""
        points = self._landmarks(portrait.pixels, mesh_points(mesh.points))[None]
        matrices = squares(points, SOURCE).matrices()
        crop = cut([portrait.pixels], matrices)[0]
        image = to_inputs([crop])
        motion = self._nets.motion(image)
        back = inverse(matrices)[0]
        to_picture = mesh_transform(back).astype(np.float64) @ _from_unit(crop.shape[0])
        eyes, lips = eye_ratios(points), lip_ratios(points)
        key_points, nets = motion.key_points(), self._nets.retargeting
        shut = lip_inputs(lips, np.zeros((1, 1), np.float32))
        shutting = nets.lip_changes(key_points, shut)
        return Sitting(
            volume=self._nets.appearance(image),
            motion=motion,
            key_points=key_points,
            eyes=eyes,
            lips=lips,
            shutting=shutting if lips[0, 0] >= LIPS_SHUT_RATIO else np.zeros_like(shutting),
            eyes_at_rest=nets.eye_changes(key_points, eye_inputs(eyes, eyes[:, :1])),
            placement=place(portrait.pixels, back, feather(crop.shape[0])),
            mesh=_in_unit(mesh.points, to_picture),
            to_picture=np.asarray(to_picture, np.float32),
        )

    def size_bytes(self, prepared: Sitting) -> int:
        """Return the memory that a sitting holds."""
        volume, placed = prepared.volume, prepared.placement
        arrays = (placed.picture, placed.mask, placed.around, prepared.mesh)
        return volume.nelement() * volume.element_size() + sum(array.nbytes for array in arrays)

    def animate(self, items: Sequence[tuple[Sitting, Motion | Driven]]) -> list[FrameGroup]:
        """Return one group per item; frames of all items go through the nets together."""
        return [finish() for finish in self.render(items)]

    def render(self, items: Sequence[tuple[Sitting, Motion | Driven]]) -> list[Finish]:
        """Return what pastes the faces of each group into its picture."""
        lengths = [len(motion) for _, motion in items]
        if not sum(lengths):
            return [partial(_empty, sitting) for sitting, _ in items]
        moves = [self._moved(sitting, motion) for sitting, motion in items]
        sittings = [sitting for sitting, motion in items for _ in range(len(motion))]
        faces = self._nets.animator.run(
            torch.cat([sitting.volume for sitting in sittings]),
            torch.from_numpy(np.concatenate([sitting.key_points for sitting in sittings])),
            torch.from_numpy(np.concatenate([points for points, _ in moves])),
        ).numpy()
        parts = np.split(faces, np.cumsum(lengths)[:-1])
        return [
            partial(_pasted, sitting, part, mesh)
            for (sitting, _), part, (_, mesh) in zip(items, parts, moves, strict=True)
        ]

    def watch(self, items: Sequence[DrivingFaces]) -> list[Performance]:
        """Return what driving faces do, a row per frame; faces of all items go through together."""
        lengths = [len(faces) for faces in items]
        if not sum(lengths):
            raise ValueError("no driving faces")
        seen = self._nets.motion(to_inputs([crop for faces in items for crop in faces.crops]))
        points = np.concatenate([faces.points[..., :2] for faces in items])
        motion = HeadMotion(seen.rotation, seen.exp, seen.scale, seen.t)
        whole = Performance(motion, eye_ratios(points), lip_ratios(points))
        ends = np.cumsum(lengths)
        return [whole[end - length : end] for end, length in zip(ends, lengths, strict=True)]

    def _moved(self, sitting: Sitting, motion: Motion | Driven) -> tuple[Floats, Floats]:
        """Return key points (T, 21, 3) and mesh points (T, 478, 2) in picture px of a motion."""
        if not len(motion):
            return sitting.key_points[:0], np.zeros((0, len(sitting.mesh), 2), np.float32)
        if isinstance(motion, Driven):
            return self._driven(sitting, motion)
        return self._idle(sitting, motion)

    def _driven(self, sitting: Sitting, motion: Driven) -> tuple[Floats, Floats]:
        """Return key points and mesh points of a head that follows a driving performance."""
        source, settings, performance = sitting.motion, motion.settings, motion.performance
        moved = driven(source, performance.motion, motion.first.motion, settings)
        openings = Openings(sitting.eyes, sitting.lips, performance.eyes, performance.lips)
        points = adjusted(source, moved, settings, self._nets.retargeting, openings)
        return points, _followed(sitting, moved, points, settings.multiplier)

    def _idle(self, sitting: Sitting, motion: Motion) -> tuple[Floats, Floats]:
        """Return key points and mesh points of a head that sways and blinks."""
        yaw, pitch, roll = (motion.pose[:, axis : axis + 1] for axis in range(3))
        # Key points are x right, y down, z inwards: their yaw turns the nose to the left.
        turn = rotations(pitch, -yaw, roll)
        source, nets = sitting.motion, self._nets.retargeting
        rotation = np.asarray(turn @ source.rotation, np.float32)
        posed = replace(source, rotation=rotation).key_points()
        blinking = self._blinks(sitting, motion.closure)
        points = nets.stitched(sitting.key_points, posed + blinking)
        shift = (points - posed - blinking).mean(axis=1)
        points = points + sitting.shutting
        return np.asarray(points, np.float32), _turned(sitting, rotation, shift)

    def _blinks(self, sitting: Sitting, closure_T2: Floats) -> Floats:
        """Return the changes of key points that shut the eyes: (T, 21, 3); none where it is 0.

        The net is told one opening for both eyes. What it changes of eyes that stay as they are
        is taken off, so that a face at rest is left alone.
        """
        if not closure_T2.any():  # nearly always: a run of the net costs as much as all the rest
            return np.zeros((len(closure_T2), *sitting.eyes_at_rest.shape[1:]), np.float32)
        nets, open_ratio = self._nets.retargeting, sitting.eyes[:, :1]
        wanted = open_ratio * (1 - closure_T2.mean(axis=1, keepdims=True))
        changed = nets.eye_changes(sitting.key_points, eye_inputs(sitting.eyes, wanted))
        return np.asarray(changed - sitting.eyes_at_rest, np.float32)


def _pasted(sitting: Sitting, faces: NDArray[np.uint8], points: Floats) -> FrameGroup:
    if not len(faces):
        return _empty(sitting)
    return FrameGroup(np.stack(list(paste(sitting.placement, faces))), points)


def _empty(sitting: Sitting) -> FrameGroup:
    picture = sitting.placement.picture
    return FrameGroup(
        np.zeros((0, *picture.shape), np.uint8),
        np.zeros((0, len(sitting.mesh), 2), np.float32),
    )


def _turned(sitting: Sitting, rotation_T33: Floats, shift_T3: Floats) -> Floats:
    """Return where the mesh is after the head turned from the source's pose: (T, 478, 2) px."""
    source = sitting.motion
    offset = source.t * np.array([1, 1, 0], np.float32)
    canonical = (sitting.mesh - offset) @ source.rotation[0].T
    turned = canonical @ rotation_T33 + offset + shift_T3[:, None]
    matrix = sitting.to_picture
    return np.asarray(turned[..., :2] @ matrix[:2, :2].T + matrix[:2, 2], np.float32)


def _followed(sitting: Sitting, moved: FaceMotion, points: Floats, multiplier: float) -> Floats:
    """Return where the mesh is after a driven movement: (T, 478, 2) px.

    It follows pose, scale and position; of stitching and expression it follows the mean.
    """
    source, flat = sitting.motion, np.array([1, 1, 0], np.float32)
    canonical = (sitting.mesh - source.t * flat) @ source.rotation[0].T / source.scale
    placed = moved.scale[:, :, None] * (canonical @ moved.rotation) + (moved.t * flat)[:, None]
    posed = moved.key_points() - sitting.key_points
    rest = (points - sitting.key_points - multiplier * posed).mean(axis=1, keepdims=True)
    mesh = sitting.mesh + multiplier * (placed - sitting.mesh) + rest
    matrix = sitting.to_picture
    return np.asarray(mesh[..., :2] @ matrix[:2, :2].T + matrix[:2, 2], np.float32)


def _from_unit(side_px: int) -> NDArray[np.float64]:
    """Return what takes [-1, 1] to crop px, (3, 3), centres at .5."""
    half = side_px / 2
    return np.array([[half, 0, half], [0, half, half], [0, 0, 1]])


def _in_unit(points_P3: Floats, to_picture: NDArray[np.float64]) -> Floats:
    """Return mesh points in the crop's coordinates, depth in the same unit: (478, 3)."""
    to_unit = np.linalg.inv(to_picture)
    flat = points_P3[:, :2] @ to_unit[:2, :2].T + to_unit[:2, 2]
    zoom = np.hypot(to_unit[0, 0], to_unit[1, 0])
    return np.concatenate([flat, points_P3[:, 2:] * zoom], axis=1, dtype=np.float32)
