"""The model deployments, as a session calls them."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import ray
from numpy.typing import NDArray
from ray.serve.handle import DeploymentHandle

from app.driving import Driven, DrivingFaces, Performance
from app.face.choice import face_px, is_profile
from app.face.tracking import Followed, FollowQuery, Track
from app.media.image import fit
from app.observability.origin import origin
from app.observability.tracing import NoTracer, Tracer
from app.serving.calls import AnimateCall, RemoteMethod, Sitter, UnknownSitter
from app.serving.calls import call as call_of
from app.settings import AppArgs
from app.values import FaceMesh, FaceQuery, FrameGroup, LipGroup, Motion, Portrait

BY_VALUE_BYTES = 1 << 20
"""Up to so many bytes of pictures a call and its answer go by value, more by reference."""

Animate = Callable[[Motion | Driven], Awaitable[FrameGroup]]
"""Renders one portrait, one frame per row of the motion."""


@dataclass(frozen=True, slots=True)
class Models:
    """Handles of the three model deployments."""

    face: DeploymentHandle[Any]
    portrait: DeploymentHandle[Any]
    lips: DeploymentHandle[Any]


class ModelCalls:
    """Calls of the models, each with a deadline.

    Args:
        models: where they run.
        args: the application's settings.
        tracer: makes a span of each call.
    """

    def __init__(self, models: Models, args: AppArgs, tracer: Tracer | None = None) -> None:
        self._models = models
        self._tracer = tracer or NoTracer()
        self._face = args.face
        self._deadline_s = args.session.call_deadline_s

    # Made once: options cost more than a call.
    @cached_property
    def _animate_by_value(self) -> RemoteMethod:
        return self._models.portrait.options(_by_reference=False).animate

    @cached_property
    def _paint_by_value(self) -> RemoteMethod:
        return self._models.lips.options(_by_reference=False).paint

    async def faces(self, photo: Portrait) -> list[FaceMesh]:
        """Return the faces of a photo, in its pixels; looked for in copies of bounded size."""
        longest, config = max(photo.pixels.shape[:2]), self._face
        first_px, second_px = (
            min(longest, side) for side in (config.max_side_px, config.second_look_px)
        )
        first = await self._look(photo, first_px, only_tiles=False)
        if second_px <= first_px or (first and not is_profile(first[0], config)):
            return first
        second = await self._look(photo, second_px, only_tiles=True)
        if not first:
            return second
        # Who is seen from the side is told so, whatever tiny faces are in the background.
        return [mesh for mesh in second if face_px(mesh.points) >= config.min_face_px] or first

    async def _look(self, photo: Portrait, side_px: int, *, only_tiles: bool) -> list[FaceMesh]:
        """Return the faces that a copy of a photo shows, in the photo's pixels."""
        copy = await asyncio.to_thread(fit, photo, side_px)
        query = FaceQuery(copy.portrait.pixels, only_tiles)
        meshes = await self._call("face.analyze", self._models.face.analyze, query)
        return [mesh.scaled(1 / copy.x_factor, 1 / copy.y_factor) for mesh in meshes]

    async def follow(
        self, pixels_THW3: NDArray[np.uint8], times_s: Sequence[float], track: Track
    ) -> Followed:
        """Return where a face is in consecutive frames of a video, in their pixels."""
        query = FollowQuery(pixels_THW3, times_s, track)
        followed: Followed = await self._call("face.follow", self._models.face.follow, query)
        return followed

    async def animator(self, portrait: Portrait, mesh: FaceMesh) -> Animate:
        """Return the portrait model bound to a sitter, who goes to the object store once."""
        digest = await asyncio.to_thread(portrait.digest)
        key = hashlib.sha256(digest.encode() + mesh.points.tobytes()).hexdigest()
        sitter = await asyncio.to_thread(ray.put, Sitter(key, portrait, mesh))
        frame_bytes, is_known = portrait.pixels.nbytes, False

        async def animate(motion: Motion | Driven) -> FrameGroup:
            nonlocal is_known
            frames: FrameGroup
            began_s = asyncio.get_running_loop().time()
            if is_known and len(motion) * frame_bytes <= BY_VALUE_BYTES:
                with suppress(UnknownSitter):
                    call = AnimateCall(key, None, motion)
                    frames = await self._call("portrait.animate", self._animate_by_value, call)
                    return frames
            call = AnimateCall(key, sitter, motion)
            # Both tries together have the deadline of one call.
            spent_s = asyncio.get_running_loop().time() - began_s
            by_reference = self._models.portrait.animate
            frames = await self._call("portrait.animate", by_reference, call, spent_s)
            is_known = True
            return frames

        return animate

    async def watch(self, faces: DrivingFaces) -> Performance:
        """Return what driving faces do."""
        method = self._models.portrait.watch
        performance: Performance = await self._call("portrait.watch", method, faces)
        return performance

    async def paint(self, group: LipGroup) -> NDArray[np.uint8]:
        """Return the repainted crops of a group, (T, S, S, 3) uint8 RGB."""
        is_small = group.crops.nbytes <= BY_VALUE_BYTES
        method = self._paint_by_value if is_small else self._models.lips.paint
        painted: NDArray[np.uint8] = await self._call("lips.paint", method, group)
        return painted

    async def _call(
        self, name: str, method: RemoteMethod, argument: object, spent_s: float = 0.0
    ) -> Any:  # noqa: ANN401
        """Return a model's answer; with the call goes for whom it is."""
        with self._tracer.span(name, "client"):
            return await call_of(
                *(method, argument, origin()), deadline_s=self._deadline_s, spent_s=spent_s
            )
