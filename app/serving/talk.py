"""A talk: one session from uploaded bytes to a streamed video."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeVar, TypeVarTuple

import numpy as np
import ray
from numpy.typing import NDArray
from ray.serve.handle import DeploymentHandle

from app.errors import TooLarge
from app.face.choice import check_size, choose
from app.face.turns import turn, upright_turns
from app.media.audio import decode_speech
from app.media.config import MediaConfig
from app.media.image import decode_portrait, fit
from app.media.mel import SILENCE, WINDOW_STEPS, log_mel, mel_windows, speech_gain
from app.media.mp4 import Mp4Writer
from app.media.video import VideoWriter
from app.pipeline.motion import idle_motion, still_motion
from app.pipeline.session import Animate, Scene, Windows, render
from app.serving.calls import AnimateCall, RemoteMethod, Sitter, call
from app.settings import AppArgs
from app.timeline import frame_count
from app.values import FaceMesh, FrameGroup, LipGroup, Motion, Portrait, Speech, TalkJob
from app.variants.config import CROP_PX

TAGS = {"comment": "Synthetic video made by Digital Human from one photo and a recording."}

Ts = TypeVarTuple("Ts")
T = TypeVar("T")


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


class Stage:
    """Makes talks: prepares them, renders them, and writes their videos.

    Args:
        args: the application's settings.
        models: where the models run.
    """

    def __init__(self, args: AppArgs, models: Models) -> None:
        self._args = args
        self._models = models
        self._decoder = ThreadPoolExecutor(1, thread_name_prefix="decode")

    async def prepare(self, job: TalkJob) -> Take:
        """Decode the media, find the face and lay out the whole motion."""
        photo, speech = await asyncio.gather(
            self._decoded(decode_portrait, job.portrait), self._decoded(decode_speech, job.audio)
        )
        self._check_size(job, photo)
        meshes = await self._faces(photo)
        mesh = choose(meshes, job.face_index, self._args.face)
        portrait, mesh = await asyncio.to_thread(_staged, photo, mesh, job.size)
        check_size(mesh, self._args.face)
        height, width, _ = portrait.pixels.shape
        return Take(
            scene=Scene(
                motion=await asyncio.to_thread(_motion, job, speech),
                windows=await asyncio.to_thread(_windows, speech, job.fps),
                animate=await self._animator(portrait, mesh),
                paint=self._paint,
                crop_px=CROP_PX[self._args.lips.variant],
            ),
            speech=speech,
            fps=job.fps,
            width=width,
            height=height,
            faces=len(meshes),
        )

    async def _decoded(self, decode: Callable[[bytes, MediaConfig], T], data: bytes) -> T:
        """Return decoded media; one at a time, because a photo may unfold to a gigabyte."""
        return await _run(self._decoder, decode, data, self._args.media)

    def _check_size(self, job: TalkJob, photo: Portrait) -> None:
        longest_px = self._args.media.max_video_side_px
        if job.size is None and max(photo.pixels.shape) > longest_px:
            raise TooLarge(
                f"The photo's longer side exceeds {longest_px} px.",
                "Ask for a size, such as `size=1024`, or send a smaller photo.",
            )

    async def _faces(self, photo: Portrait) -> list[FaceMesh]:
        """Return the faces of a photo, in its pixels; looked for in a copy of bounded size."""
        side = min(max(photo.pixels.shape[:2]), self._args.face.max_side_px)
        small = await asyncio.to_thread(fit, photo, side)
        meshes = await self._call(self._models.face.analyze, small.portrait.pixels)
        return [mesh.scaled(1 / small.x_factor, 1 / small.y_factor) for mesh in meshes]

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
                if data := await _run(thread, writer.write, group.pixels):
                    yield data
            yield await _run(thread, writer.finish)
        finally:
            thread.submit(writer.close)
            thread.shutdown(wait=False)
            await groups.aclose()

    def _writer(self, take: Take) -> VideoWriter:
        sound, media = take.speech.sound, self._args.media
        return Mp4Writer(take.width, take.height, take.fps, sound, media, TAGS)

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


def _windows(speech: Speech, fps: Fraction) -> Windows:
    """Return the log-mel windows of any frames of a speech, brought to one level.

    Silence follows the speech, so that a mouth that spoke to the end shuts with it.
    """
    mel_MS = log_mel(speech.samples * np.float32(speech_gain(speech.samples)))
    mel_MS = np.pad(mel_MS, ((0, 0), (0, WINDOW_STEPS)), constant_values=SILENCE)
    return lambda first, last: mel_windows(mel_MS, last - first, fps, first)


async def _run(thread: ThreadPoolExecutor, work: Callable[[*Ts], T], *args: *Ts) -> T:
    return await asyncio.get_running_loop().run_in_executor(thread, work, *args)
