"""The published variant of the portrait-animation role: LivePortrait.

T frames, K key points (21), P mesh points (478).
"""

from collections.abc import Callable, Sequence
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
        moves = self._moves(items)
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

    def _moves(
        self, items: Sequence[tuple[Sitting, Motion | Driven]]
    ) -> list[tuple[Floats, Floats]]:
        """Return key points (T, 21, 3) and mesh points (T, 478, 2) in picture px of each motion.

        Idle motions go together: one by one, their many small steps would keep the GPU waiting.
        """
        idle = [(sitting, motion) for sitting, motion in items if isinstance(motion, Motion)]
        points, meshes = self._idle(idle) if idle else (None, None)
        moves, start = list[tuple[Floats, Floats]](), 0
        for sitting, motion in items:
            if isinstance(motion, Driven):
                moves.append(self._driven(sitting, motion) if len(motion) else _nothing())
            elif points is not None and meshes is not None:
                frames = slice(start, start + len(motion))
                moves.append((points[frames], meshes[frames]))
                start = frames.stop
        return moves

    def _driven(self, sitting: Sitting, motion: Driven) -> tuple[Floats, Floats]:
        """Return key points and mesh points of a head that follows a driving performance."""
        source, settings, performance = sitting.motion, motion.settings, motion.performance
        moved = driven(source, performance.motion, motion.first.motion, settings)
        openings = Openings(sitting.eyes, sitting.lips, performance.eyes, performance.lips)
        points = adjusted(source, moved, settings, self._nets.retargeting, openings)
        return points, _followed(sitting, moved, points, settings.multiplier)

    def _idle(self, items: Sequence[tuple[Sitting, Motion]]) -> tuple[Floats, Floats]:
        """Return key points and mesh points of heads that sway and blink, all frames in a row."""
        whose = np.repeat(np.arange(len(items)), [len(motion) for _, motion in items])
        if not len(whose):
            return _nothing()

        def each(part: Callable[[Sitting], Floats]) -> Floats:
            rows: Floats = np.concatenate([part(sitting) for sitting, _ in items])[whose]
            return rows

        source = FaceMotion(
            rotation=each(lambda sitting: sitting.motion.rotation),
            exp=each(lambda sitting: sitting.motion.exp),
            scale=each(lambda sitting: sitting.motion.scale),
            t=each(lambda sitting: sitting.motion.t),
            kp=each(lambda sitting: sitting.motion.kp),
        )
        pose = np.concatenate([motion.pose for _, motion in items])
        yaw, pitch, roll = (pose[:, axis : axis + 1] for axis in range(3))
        # Key points are x right, y down, z inwards: their yaw turns the nose to the left.
        rotation = np.asarray(rotations(pitch, -yaw, roll) @ source.rotation, np.float32)
        posed = replace(source, rotation=rotation).key_points()
        key_points = each(lambda sitting: sitting.key_points)
        closure = np.concatenate([motion.closure for _, motion in items])
        eyes, rest = each(lambda sitting: sitting.eyes), each(lambda sitting: sitting.eyes_at_rest)
        blinking = self._blinks(key_points, eyes, rest, closure)
        points = self._nets.retargeting.stitched(key_points, posed + blinking)
        shift = (points - posed - blinking).mean(axis=1)
        points = points + each(lambda sitting: sitting.shutting)
        mesh = each(lambda sitting: sitting.mesh[None])
        to_picture = each(lambda sitting: sitting.to_picture[None])
        turned = _turned(mesh, source, rotation, shift, to_picture)
        return np.asarray(points, np.float32), turned

    def _blinks(
        self, key_points: Floats, eyes_T2: Floats, rest: Floats, closure_T2: Floats
    ) -> Floats:
        """Return the changes of key points that shut the eyes: (T, 21, 3); none where it is 0.

        The net is told one opening for both eyes. What it changes of eyes that stay as they are
        is taken off, so that a face at rest is left alone.
        """
        changes = np.zeros_like(rest)
        # Nearly always none: a run of the net costs as much as all the rest.
        shut = closure_T2.any(axis=1)
        if shut.any():
            eyes = eyes_T2[shut]
            wanted = eyes[:, :1] * (1 - closure_T2[shut].mean(axis=1, keepdims=True))
            inputs = eye_inputs(eyes, np.asarray(wanted, np.float32))
            nets = self._nets.retargeting
            changes[shut] = nets.eye_changes(key_points[shut], inputs) - rest[shut]
        return changes


def _pasted(sitting: Sitting, faces: NDArray[np.uint8], points: Floats) -> FrameGroup:
    if not len(faces):
        return _empty(sitting)
    return FrameGroup(np.stack(list(paste(sitting.placement, faces))), points)


def _nothing() -> tuple[Floats, Floats]:
    return np.zeros((0, 21, 3), np.float32), np.zeros((0, 478, 2), np.float32)


def _empty(sitting: Sitting) -> FrameGroup:
    picture = sitting.placement.picture
    return FrameGroup(
        np.zeros((0, *picture.shape), np.uint8),
        np.zeros((0, len(sitting.mesh), 2), np.float32),
    )


def _turned(
    mesh_TP3: Floats, source: FaceMotion, rotation_T33: Floats, shift_T3: Floats, to_picture: Floats
) -> Floats:
    """Return where meshes are after their heads turned from the source's pose: (T, 478, 2) px."""
    offset = source.t[:, None] * np.array([1, 1, 0], np.float32)
    canonical = (mesh_TP3 - offset) @ source.rotation.transpose(0, 2, 1)
    turned = canonical @ rotation_T33 + offset + shift_T3[:, None]
    flat = turned[..., :2] @ to_picture[:, :2, :2].transpose(0, 2, 1)
    return np.asarray(flat + to_picture[:, None, :2, 2], np.float32)


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
