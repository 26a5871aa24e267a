"""Where sessions are prepared and rendered: from a validated request to the bytes of its answer."""

import asyncio
import os
import threading
import time
from collections.abc import AsyncGenerator, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import (
    aclosing,
    asynccontextmanager,
    nullcontext,
    suppress,
)
from dataclasses import replace
from typing import Any, TypeVar, assert_never

import numpy as np
from numpy.typing import NDArray

from app.errors import DeadlineExceeded
from app.jobs import AnimateJob, ClipJob, FramesJob, LipsyncJob, MotionsJob, TalkJob
from app.media.fragments import pictures_in
from app.media.jpeg import encode_jpegs
from app.media.label import stamp
from app.media.video import VideoWriter
from app.observability.stages import StageTimes
from app.observability.story import story
from app.observability.tracing import FIRST_FRAME, GROUP_FRAMES, NoTracer, Tracer
from app.pipeline.pace import FreePace, LivePace
from app.pipeline.session import render
from app.pipeline.turns import Turns
from app.pipeline.viewer import Viewer
from app.report import report_box
from app.serving import motions
from app.serving.animate import animate
from app.serving.chunk import Chunk, chunk
from app.serving.clip_meter import ClipMeter
from app.serving.decoders import Decoders, run
from app.serving.lipsync import lipsync
from app.serving.models import ModelCalls, Models
from app.serving.sitters import Sitters
from app.serving.take import Session, Take
from app.serving.talk import talk
from app.settings import AppArgs
from app.values import FrameGroup

Made = TypeVar("Made")

LATER = 10
"""Steps of niceness that the encoding of a video has which nobody watches as it is made: on a
machine that is full, live streams would come late for it."""


class Stage:
    """Makes videos: prepares them, renders them, and writes their files.

    Args:
        args: the application's settings.
        models: where the models run.
        tracer: makes spans of the groups and of the models' calls.
    """

    def __init__(self, args: AppArgs, models: Models, tracer: Tracer | None = None) -> None:
        self._args = args
        self._tracer = tracer or NoTracer()
        self._models = ModelCalls(models, args, self._tracer)
        self._decoders = Decoders(args.media)
        self._sitters = Sitters(args.frames)
        self._turns = Turns()

    async def prepare(self, job: ClipJob, times: StageTimes | None = None) -> Take:
        """Decode the media, find the faces and lay out all that is rendered.

        Args:
            job: what is asked for.
            times: counts the stages of the session.

        Raises:
            AppError: the media are refused, or a model is.
            DeadlineExceeded: it took longer than `prepare_deadline_s`.
        """
        session = self._session(times)
        try:
            take = await self._in_time(_prepared(job, session))
        except BaseException:
            session.close()
            raise
        session.left.set()  # of the preparation nothing goes on
        return take

    async def record(
        self, job: MotionsJob, times: StageTimes | None = None
    ) -> tuple[bytes, int, int]:
        """Return a motion sequence, its frames, and how many of them lacked the face.

        Raises:
            AppError: the video is refused, or a model is.
            DeadlineExceeded: decoding and searching it took longer than `prepare_deadline_s`.
        """
        session = self._session(times)
        try:
            driving = await self._in_time(motions.prepare(job, session))
            recorded = await motions.record(driving, session)
            story().frames = recorded[1]
            return recorded
        finally:
            session.close()

    async def pictures(
        self, job: FramesJob, times: StageTimes | None = None
    ) -> tuple[Chunk, list[bytes]]:
        """Return a chunk, and each of its frames as a JPEG.

        Raises:
            AppError: the media are refused, the portrait is not kept, or a model is.
            DeadlineExceeded: preparing it took longer than `prepare_deadline_s`.
        """
        session, label = self._session(times), self._args.media.label
        try:
            prepared = await self._in_time(chunk(job, session, self._sitters))
        finally:
            session.close()
        jpegs: list[bytes] = []
        scene = replace(prepared.scene, around=self._watched_group)
        async with aclosing(render(scene, self._args.session)) as groups:
            async for group in groups:
                with session.times.measure("encode"):
                    jpegs += await asyncio.to_thread(encode_jpegs, group.pixels, job.quality, label)
                story().frames += len(group.pixels)
        return prepared, jpegs

    def frames(self, take: Take, viewer: Viewer | None = None) -> AsyncGenerator[FrameGroup, None]:
        """Return the finished frames of a take, before they are encoded, at its pace."""
        config, fps = self._args.session, take.fps
        is_live = take.pace == "live"
        pace = LivePace(fps, config, viewer or Viewer(fps)) if is_live else FreePace(config)
        around = self._watched_group if is_live else self._patient_group
        return render(replace(take.scene, around=around), config, pace)

    @asynccontextmanager
    async def _watched_group(self, frames: slice) -> AsyncGenerator[None]:
        """Surround a group of frames with its span."""
        place = {FIRST_FRAME: frames.start, GROUP_FRAMES: frames.stop - frames.start}
        with self._tracer.span("group", attributes={**place}):
            yield

    @asynccontextmanager
    async def _patient_group(self, frames: slice) -> AsyncGenerator[None]:
        """Surround a group that nobody watches: with its turn, and its span."""
        async with self._turns.turn(), self._watched_group(frames):
            yield

    async def video(
        self, take: Take, meter: ClipMeter | None = None
    ) -> AsyncGenerator[bytes, None]:
        """Yield the bytes of a take's video as its frames get finished, and meter them."""
        try:
            writer = take.writer(self._args)
        except BaseException:
            take.close()
            raise
        # One thread for all that touches the writer: closing it queues behind a running write.
        is_live = take.pace == "live"
        prepare = None if is_live else _give_way
        thread = ThreadPoolExecutor(1, thread_name_prefix="encode", initializer=prepare)
        viewer = Viewer(take.fps)
        groups = self.frames(take, viewer)
        if meter:
            meter.rendering()
        watching = self._turns.watching() if is_live else nullcontext()
        try:
            with watching:
                async for group in groups:
                    async with nullcontext() if is_live else self._turns.turn():
                        started_s = time.perf_counter()
                        with take.times.measure("encode"):
                            data = await run(thread, self._encode, writer, group.pixels)
                    if meter:
                        meter.encoded(len(group.pixels), time.perf_counter() - started_s)
                    story().frames += len(group.pixels)
                    if data:
                        _hand(data, viewer, meter)
                        yield data
                last = await run(thread, writer.finish)
            _hand(last, viewer, meter)
            if meter:
                meter.finished(take.fps, writer.offset_s)
            yield last + _report(take, viewer)
        finally:
            thread.submit(writer.close)
            thread.shutdown(wait=False)
            await groups.aclose()
            take.close()

    def _encode(self, writer: VideoWriter, pixels: NDArray[np.uint8]) -> bytes:
        return writer.write(stamp(pixels) if self._args.media.label == "visible" else pixels)

    def _session(self, times: StageTimes | None) -> Session:
        return Session(self._args, self._models, self._decoders, times or StageTimes())

    async def _in_time(self, work: Coroutine[Any, Any, Made]) -> Made:
        deadline_s = self._args.session.prepare_deadline_s
        try:
            async with asyncio.timeout(deadline_s):
                return await work
        except TimeoutError:
            raise DeadlineExceeded(
                f"The media were not decoded and searched for a face within {deadline_s:g} s.",
                "Send smaller or shorter media, or try again later.",
            ) from None


async def _prepared(job: ClipJob, session: Session) -> Take:
    match job:
        case TalkJob():
            return await talk(job, session)
        case AnimateJob():
            return await animate(job, session)
        case LipsyncJob():
            return await lipsync(job, session)
    assert_never(job)


def _hand(data: bytes, viewer: Viewer, meter: ClipMeter | None) -> None:
    """Note that data goes to the client now."""
    late = viewer.handed(pictures_in(data))
    if meter:
        meter.late(late)


def _report(take: Take, viewer: Viewer) -> bytes:
    """Return what is known of a video only at its end, as a box of its file."""
    report = {}
    if take.frames_without_face is not None:
        report["frames_without_face"] = take.frames_without_face()
    if take.pace == "live":
        report["late_frames"] = viewer.late_frames
    return report_box({"frames": take.scene.num_frames, **report}) if report else b""


def _give_way() -> None:
    """Let this thread have what CPU those leave that somebody waits for."""
    thread = threading.get_native_id()  # Linux keeps priorities by thread
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + LATER)
