"""Where sessions are prepared and rendered: from a validated request to the bytes of its answer."""

import asyncio
import time
from collections.abc import AsyncGenerator, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, TypeVar, assert_never

import numpy as np
from numpy.typing import NDArray

from app.errors import DeadlineExceeded
from app.jobs import AnimateJob, ClipJob, LipsyncJob, MotionsJob, TalkJob
from app.media.label import stamp
from app.media.video import VideoWriter
from app.observability.stages import StageTimes
from app.observability.story import story
from app.observability.tracing import FIRST_FRAME, GROUP_FRAMES, NoTracer, Tracer
from app.pipeline.session import render
from app.report import report_box
from app.serving import motions
from app.serving.animate import animate
from app.serving.clip_meter import ClipMeter
from app.serving.decoders import Decoders, run
from app.serving.lipsync import lipsync
from app.serving.models import ModelCalls, Models
from app.serving.take import Session, Take
from app.serving.talk import talk
from app.settings import AppArgs
from app.values import FrameGroup

Made = TypeVar("Made")


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

    def frames(self, take: Take) -> AsyncGenerator[FrameGroup, None]:
        """Return the finished frames of a take, before they are encoded."""
        return render(replace(take.scene, around=self._group), self._args.session)

    def _group(self, frames: slice) -> AbstractContextManager[object]:
        """Return the span of a group of frames."""
        place = {FIRST_FRAME: frames.start, GROUP_FRAMES: frames.stop - frames.start}
        return self._tracer.span("group", attributes={**place})

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
        thread = ThreadPoolExecutor(1, thread_name_prefix="encode")
        groups = self.frames(take)
        if meter:
            meter.rendering()
        try:
            async for group in groups:
                started_s = time.perf_counter()
                with take.times.measure("encode"):
                    data = await run(thread, self._encode, writer, group.pixels)
                if meter:
                    encode_s = time.perf_counter() - started_s
                    meter.encoded(len(group.pixels), take.fps, encode_s)
                story().frames += len(group.pixels)
                if data:
                    yield data
            last = await run(thread, writer.finish) + _report(take)
            if meter:
                meter.finished(take.fps, writer.offset_s)
            yield last
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


def _report(take: Take) -> bytes:
    """Return what is known of a video only at its end, as a box of its file."""
    if take.frames_without_face is None:
        return b""
    return report_box(
        {"frames": take.scene.num_frames, "frames_without_face": take.frames_without_face()}
    )
