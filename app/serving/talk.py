"""A talk: one session from uploaded bytes to a streamed video."""

import asyncio
import hashlib
import threading
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeVar, TypeVarTuple

import numpy as np
import ray
from numpy.typing import NDArray
from ray.serve.handle import DeploymentHandle

from app.errors import DeadlineExceeded, TooLarge
from app.face.choice import check_size, choose, face_px, is_profile
from app.face.turns import turn, upright_turns
from app.media.audio import decode_speech
from app.media.image import DecodedPortrait, decode_portrait, fit
from app.media.label import metadata, stamp
from app.media.mp4 import Mp4Writer
from app.media.video import VideoWriter
from app.observability.stages import StageTimes
from app.pipeline.motion import idle_motion, still_motion
from app.pipeline.session import Animate, Scene, render
from app.serving.calls import AnimateCall, RemoteMethod, Sitter, call
from app.serving.mouths import crops_for, windows_for
from app.settings import AppArgs
from app.timeline import frame_count
from app.values import (
    FaceMesh,
    FaceQuery,
    FrameGroup,
    LipGroup,
    Motion,
    Portrait,
    Speech,
    TalkJob,
)

Ts = TypeVarTuple("Ts")
T = TypeVar("T")

RECORDINGS = 2
"""Recordings that are decoded at once: a long one holds up no short one."""


@dataclass(frozen=True, slots=True)
class Models:
    """Handles of the three model deployments."""

    face: DeploymentHandle[Any]
    portrait: DeploymentHandle[Any]
    lips: DeploymentHandle[Any]


@dataclass(frozen=True, slots=True)
class Take:
    """A talk that is ready to be rendered: its scene, and what the video needs besides."""

    scene: Scene
    speech: Speech
    fps: Fraction
    width: int
    height: int
    faces: int
    times: StageTimes = field(default_factory=StageTimes)
    is_animated: bool = False  # the portrait's file holds more pictures; the first is used


class Stage:
    """Makes talks: prepares them, renders them, and writes their videos.

    Args:
        args: the application's settings.
        models: where the models run.
        observe_frames: told how many frames were encoded, group by group.
    """

    def __init__(
        self,
        args: AppArgs,
        models: Models,
        observe_frames: Callable[[int], None] = lambda frames: None,
    ) -> None:
        self._args = args
        self._observe_frames = observe_frames
        self._models = models
        # One photo at a time, because it may unfold to hundreds of MB.
        self._photos = ThreadPoolExecutor(1, thread_name_prefix="decode-photo")
        self._recordings = ThreadPoolExecutor(RECORDINGS, thread_name_prefix="decode-sound")

    async def prepare(self, job: TalkJob, times: StageTimes | None = None) -> Take:
        """Decode the media, find the face and lay out the whole motion.

        Args:
            job: what is asked for.
            times: counts the stages of the session.

        Raises:
            AppError: the media are refused, or a model is.
            DeadlineExceeded: it took longer than `prepare_deadline_s`.
        """
        deadline_s, left = self._args.session.prepare_deadline_s, threading.Event()
        try:
            async with asyncio.timeout(deadline_s):
                return await self._prepared(job, times or StageTimes(), left)
        except TimeoutError:
            raise DeadlineExceeded(
                f"The media were not decoded and searched for a face within {deadline_s:g} s.",
                "Send a smaller photo or a shorter recording, or try again later.",
            ) from None
        finally:
            left.set()

    async def _prepared(self, job: TalkJob, times: StageTimes, left: threading.Event) -> Take:
        with times.measure("decode"):
            decoded, speech = await self._decoded(job, left)
        photo = decoded.portrait
        self._check_size(job, photo)
        with times.measure("face"):
            meshes = await self._faces(photo)
        mesh = choose(meshes, job.face_index, self._args.face)
        with times.measure("layout"):
            portrait, mesh = await asyncio.to_thread(_staged, photo, mesh, job.size)
            check_size(mesh, self._args.face)
            scene = Scene(
                motion=await asyncio.to_thread(_motion, job, speech),
                windows=windows_for(self._args.lips, speech, job.fps),
                animate=await self._animator(portrait, mesh),
                paint=self._paint,
                crops=crops_for(self._args.lips),
                measure=times.measure,
            )
        height, width, _ = portrait.pixels.shape
        return Take(scene, speech, job.fps, width, height, len(meshes), times, decoded.is_animated)

    async def _decoded(self, job: TalkJob, left: threading.Event) -> tuple[DecodedPortrait, Speech]:
        """Return the media decoded side by side; a refused photo does not wait for its sound.

        Args:
            job: what is asked for.
            left: once it is set, a running decode of the recording ends.
        """
        media = self._args.media
        hearing = asyncio.create_task(
            _run(self._recordings, decode_speech, job.audio, media, left.is_set)
        )
        try:
            decoded = await _run(self._photos, decode_portrait, job.portrait, media)
            return decoded, await hearing
        finally:
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)

    def _check_size(self, job: TalkJob, photo: Portrait) -> None:
        longest_px = self._args.media.max_video_side_px
        if job.size is None and max(photo.pixels.shape) > longest_px:
            raise TooLarge(
                f"The photo's longer side exceeds {longest_px} px.",
                "Ask for a size, such as `size=1024`, or send a smaller photo.",
            )

    async def _faces(self, photo: Portrait) -> list[FaceMesh]:
        """Return the faces of a photo, in its pixels; looked for in copies of bounded size."""
        longest, config = max(photo.pixels.shape[:2]), self._args.face
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
        meshes = await self._call(self._models.face.analyze, query)
        return [mesh.scaled(1 / copy.x_factor, 1 / copy.y_factor) for mesh in meshes]

    def frames(self, take: Take) -> AsyncGenerator[FrameGroup, None]:
        """Return the finished frames of a take, before they are encoded."""
        return render(take.scene, self._args.session)

    async def video(self, take: Take) -> AsyncGenerator[bytes, None]:
        """Yield the bytes of a take's video as its frames get finished."""
        writer = self._writer(take)
        # One thread for all that touches the writer: closing it queues behind a running write.
        thread = ThreadPoolExecutor(1, thread_name_prefix="encode")
        groups = self.frames(take)
        try:
            async for group in groups:
                with take.times.measure("encode"):
                    data = await _run(thread, self._encode, writer, group.pixels)
                self._observe_frames(len(group.pixels))
                if data:
                    yield data
            yield await _run(thread, writer.finish)
        finally:
            thread.submit(writer.close)
            thread.shutdown(wait=False)
            await groups.aclose()

    def _encode(self, writer: VideoWriter, pixels: NDArray[np.uint8]) -> bytes:
        return writer.write(stamp(pixels) if self._args.media.label == "visible" else pixels)

    def _writer(self, take: Take) -> VideoWriter:
        sound, media = take.speech.sound, self._args.media
        return Mp4Writer(take.width, take.height, take.fps, sound, media, metadata(media.label))

    async def _animator(self, portrait: Portrait, mesh: FaceMesh) -> Animate:
        """Return the portrait model bound to a sitter, who goes to the object store once."""
        digest = await asyncio.to_thread(portrait.digest)
        key = hashlib.sha256(digest.encode() + mesh.points.tobytes()).hexdigest()
        sitter = await asyncio.to_thread(ray.put, Sitter(key, portrait, mesh))

        async def animate(motion: Motion) -> FrameGroup:
            group = AnimateCall(key, sitter, motion)
            frames: FrameGroup = await self._call(self._models.portrait.animate, group)
            return frames

        return animate

    async def _paint(self, group: LipGroup) -> NDArray[np.uint8]:
        painted: NDArray[np.uint8] = await self._call(self._models.lips.paint, group)
        return painted

    async def _call(self, method: RemoteMethod, argument: object) -> Any:  # noqa: ANN401
        return await call(method, argument, deadline_s=self._args.session.call_deadline_s)


def _staged(photo: Portrait, mesh: FaceMesh, size: int | None) -> tuple[Portrait, FaceMesh]:
    """Return photo and mesh at the video's size, and upright."""
    fitted = fit(photo, size)
    mesh = mesh.scaled(fitted.x_factor, fitted.y_factor)
    return turn(fitted.portrait, mesh, upright_turns(mesh))


def _motion(job: TalkJob, speech: Speech) -> Motion:
    """Return the motion of the whole video."""
    num_frames = frame_count(speech.sound.duration_s, job.fps)
    if job.motion == "idle":
        return idle_motion(num_frames, job.fps, job.seed)
    return still_motion(num_frames)


async def _run(thread: ThreadPoolExecutor, work: Callable[[*Ts], T], *args: *Ts) -> T:
    return await asyncio.get_running_loop().run_in_executor(thread, work, *args)
