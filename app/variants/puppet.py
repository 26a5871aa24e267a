"""The embedded variant of the portrait-animation role: a 2.5-D renderer of our own."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from app import head_pose
from app.driving import Driven, DrivingFaces, HeadMotion, Performance
from app.models.puppet import warp
from app.models.puppet.eyelids import find_eyelids
from app.models.puppet.freedom import freedom
from app.models.puppet.gestures import gesture_fields
from app.models.puppet.head import Places, Stage, head_fields
from app.models.puppet.renderer import PuppetNet
from app.runtime.eager import EagerEngine
from app.runtime.engine import Engine
from app.values import FaceMesh, FrameGroup, ModelCard, Motion, Portrait
from app.variants.driven import as_motion, limits_of
from app.variants.liveportrait.ratios import eye_ratios, lip_ratios
from app.variants.portrait import Finish

RUN_PX = 1 << 20
"""Four frames of 512 x 512: on a CPU, runs beyond it spend a third of their time on fresh pages of
memory (10.4 against 16.4 ms a frame, one core of an EPYC)."""

GPU_RUN_PX = 1 << 24
"""64 frames of 512 x 512: on a GPU only memory is a bound, here of about a gigabyte."""


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A measured portrait.

    Attributes:
        pixels: (H, W, 3) uint8 RGB, the whole photo.
        points: (478, 2) float32, the mesh in the photo, px.
        stage: the part of the photo that may move.
        tensors: what the net needs beside the motion: the stage (3, h, w) float32 in [0, 255],
            head and gesture fields, eyelid pixels and their slots, on the engine's device; see
            `PuppetNet.forward`.
        lid_shifts: (478, 2) float32, by how many px each mesh point moves when its eye shuts.
        lid_is_right: (478,) bool, whether the eye on the image's right moves the point.
        rotation: (3, 3) float32, how the head is turned in the photo, of `app.head_pose`.
    """

    pixels: NDArray[np.uint8]
    points: NDArray[np.float32]
    stage: Stage
    tensors: tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]
    lid_shifts: NDArray[np.float32]
    lid_is_right: NDArray[np.bool_]
    rotation: NDArray[np.float32]


class Puppet:
    """Sways and nods a head in depth, moves its eyes and brows; the rest of the photo stands still.

    Args:
        engine: runs a `PuppetNet`; by default eagerly.
        run_px: stage pixels that go through the engine at once, at least one frame's; by default
            what suits the engine's device.
        device: of the default engine.
    """

    def __init__(
        self, engine: Engine | None = None, run_px: int | None = None, device: str = "cpu"
    ) -> None:
        self._engine = engine or EagerEngine(PuppetNet(), device)
        on_cpu = self._engine.device.type == "cpu"
        self._run_px = run_px or (RUN_PX if on_cpu else GPU_RUN_PX)
        self.card = ModelCard(
            role="portrait",
            variant="puppet",
            backend=self._engine.backend,
            precision=self._engine.precision,
            licence="Apache-2.0",
            embedded=True,
            device=self._engine.device.type,
        )

    def prepare(self, portrait: Portrait, mesh: FaceMesh) -> Prepared:
        """Return all that depends on the portrait alone."""
        height, width = portrait.pixels.shape[:2]
        points = mesh.points.astype(np.float32)
        places = Places.of_mesh(points, (height, width))
        stage = places.stage
        still = portrait.pixels[stage.rows, stage.columns]
        lids = find_eyelids(points, stage, still)
        device = self._engine.device
        tensors = (
            torch.from_numpy(np.ascontiguousarray(still.transpose(2, 0, 1), np.float32)).to(device),
            torch.from_numpy(_fields(places)).to(device),
            torch.from_numpy(lids.pixels).to(device),
            torch.from_numpy(lids.slots).to(device),
        )
        flat, turn = np.ascontiguousarray(points[:, :2]), head_pose.rotation(points)
        return Prepared(portrait.pixels, flat, stage, tensors, lids.shifts, lids.is_right, turn)

    def size_bytes(self, prepared: Prepared) -> int:
        """Return the memory that `prepared` holds, the device's included."""
        arrays = (prepared.pixels, prepared.points, prepared.lid_shifts, prepared.lid_is_right)
        return sum(a.nbytes for a in arrays) + sum(t.nbytes for t in prepared.tensors)

    def animate(self, items: Sequence[tuple[Prepared, Motion | Driven]]) -> list[FrameGroup]:
        """Return one group per item, each with as many frames as its motion has rows.

        Items whose tensors have the same shapes share one run of the engine. Of a driving
        performance only poses and blinks are followed.
        """
        return self._animated([(prepared, _plain(prepared, motion)) for prepared, motion in items])

    def render(self, items: Sequence[tuple[Prepared, Motion | Driven]]) -> list[Finish]:
        """Return the finished groups: next to nothing is left to do."""
        return [partial(_itself, group) for group in self.animate(items)]

    def watch(self, items: Sequence[DrivingFaces]) -> list[Performance]:
        """Return what driving faces do: how heads turn and eyes and lips open, no expression."""
        return [_performance(faces) for faces in items]

    def _animated(self, items: Sequence[tuple[Prepared, Motion]]) -> list[FrameGroup]:
        batches: defaultdict[tuple[torch.Size, ...], list[int]] = defaultdict(list)
        for index, (prepared, motion) in enumerate(items):
            if len(motion):
                batches[tuple(tensor.shape for tensor in prepared.tensors)].append(index)
        stages: dict[int, NDArray[np.uint8]] = {}
        for batch in batches.values():
            stages.update(zip(batch, self._run([items[index] for index in batch]), strict=True))
        return [
            FrameGroup(_frames(prepared, stages.get(index)), project(prepared, motion))
            for index, (prepared, motion) in enumerate(items)
        ]

    def _run(self, items: Sequence[tuple[Prepared, Motion]]) -> list[NDArray[np.uint8]]:
        """Return the moving stages of items of equal shapes, (T, h, w, 3) each."""
        lengths = [len(motion) for _, motion in items]
        stills = [
            _join(
                [
                    p.tensors[k].expand(n, *p.tensors[k].shape)
                    for (p, _), n in zip(items, lengths, strict=True)
                ]
            )
            for k in range(4)
        ]
        pose = torch.from_numpy(np.concatenate([motion.pose for _, motion in items]))
        closure = torch.from_numpy(np.concatenate([motion.closure for _, motion in items]))
        gesture = torch.from_numpy(np.concatenate([motion.gestures for _, motion in items]))
        inputs = (*stills, pose, closure, gesture)
        stage = items[0][0].stage
        step = max(1, self._run_px // (stage.width * stage.height))
        drawn = [
            self._engine.run(*(tensor[start : start + step] for tensor in inputs)).numpy()
            for start in range(0, len(pose), step)
        ]
        whole = drawn[0] if len(drawn) == 1 else np.concatenate(drawn)
        return np.split(whole, np.cumsum(lengths)[:-1])


def _itself(group: FrameGroup) -> FrameGroup:
    return group


def _fields(places: Places) -> NDArray[np.float32]:
    """Return all fields of a portrait, (9, G, G) float32."""
    fields = np.concatenate([head_fields(places), gesture_fields(places)])
    size = (places.stage.height, places.stage.width)
    fields[3:5] *= freedom(torch.from_numpy(fields), size)
    return fields


def _plain(prepared: Prepared, motion: Motion | Driven) -> Motion:
    if isinstance(motion, Driven):
        return as_motion(motion, prepared.rotation, limits_of("puppet"))
    return motion


def _performance(faces: DrivingFaces) -> Performance:
    frames = len(faces)
    motion = HeadMotion(
        rotation=faces.rotation,
        exp=np.zeros((frames, 21, 3), np.float32),
        scale=np.ones((frames, 1), np.float32),
        t=np.zeros((frames, 3), np.float32),
    )
    points = faces.points[..., :2]
    return Performance(motion, eye_ratios(points), lip_ratios(points))


def _join(tensors: list[torch.Tensor]) -> torch.Tensor:
    """Return tensors in one batch; a single one stays the view that it is."""
    return tensors[0] if len(tensors) == 1 else torch.cat(tensors)


def _frames(prepared: Prepared, stages: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """Return the photo once per moving stage, with that stage in its place: (T, H, W, 3)."""
    if stages is None:
        return np.empty((0, *prepared.pixels.shape), np.uint8)
    if stages.shape[1:] == prepared.pixels.shape:
        return stages
    frames = np.repeat(prepared.pixels[None], len(stages), 0)
    frames[:, prepared.stage.rows, prepared.stage.columns] = stages
    return frames


def project(prepared: Prepared, motion: Motion) -> NDArray[np.float32]:
    """Return where each mesh point is in each frame: (T, 478, 2) float32, image px."""
    stage = prepared.stage
    closure = np.where(prepared.lid_is_right, motion.closure[:, 1:], motion.closure[:, :1])
    still = prepared.points + closure[:, :, None] * prepared.lid_shifts
    corner = np.array([stage.x, stage.y], np.float32)
    unit = np.array([2 / stage.width, 2 / stage.height], np.float32)
    shift = _shift(prepared, motion, (still - corner) * unit - 1)
    return (still + shift.cpu().numpy() / unit).astype(np.float32)


def _shift(prepared: Prepared, motion: Motion, places: NDArray[np.floating]) -> torch.Tensor:
    """Return how far T frames move places (T, N, 2), stage coordinates, on the device."""
    fields = prepared.tensors[1]
    size = (prepared.stage.height, prepared.stage.width)
    with torch.inference_mode():
        # Copies, because Ray lends read-only arrays.
        pose, gesture = (
            torch.tensor(rows, device=fields.device) for rows in (motion.pose, motion.gestures)
        )
        moved = warp.displacement(fields.expand(len(pose), *fields.shape), pose, gesture)
        there = torch.from_numpy(places).to(fields.device)
        return warp.look_up(moved, there, size).transpose(1, 2)
