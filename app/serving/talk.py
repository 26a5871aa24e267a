"""A talk: from a photo and a recording to a scene."""

import asyncio
from collections.abc import Callable

from app.driving import Driven, TransferSettings
from app.head_pose import rotation
from app.jobs import TalkJob
from app.media.mel import speech_windows
from app.pipeline.accents import accented
from app.pipeline.motion import idle_motion, still_motion
from app.pipeline.session import Scene, Shoot
from app.serving.driving import driving_of
from app.serving.mouths import lips_for
from app.serving.sitting import Sat, sit
from app.serving.take import Session, Take, notes_of
from app.timeline import frame_count
from app.values import FrameGroup, Motion, Speech
from app.variants.driven import as_motion, limits_of


async def talk(job: TalkJob, session: Session) -> Take:
    """Return a talk ready to be rendered."""
    with session.times.measure("decode"):
        hearing = session.decoders.speech(job.audio, session.left)
        photo, speech = await session.photo_and(job.portrait, hearing)
    sat = await sit(session, photo.portrait, job.size, job.face_index)
    shoot, frames_without_face = await _shoot(job, session, sat, speech)
    height, width = sat.portrait.pixels.shape[:2]
    return Take(
        scene=Scene(
            num_frames=_frames_of(job, speech),
            shoot=shoot,
            lips=lips_for(session, speech, job.fps),
            measure=session.times.measure,
        ),
        sound=speech.sound,
        fps=job.fps,
        width=width,
        height=height,
        faces=sat.faces,
        times=session.times,
        notes=notes_of(photo),
        frames_without_face=frames_without_face,
        close=session.close,
        pace=job.pace,
    )


Count = Callable[[], int]


async def _shoot(
    job: TalkJob, session: Session, sat: Sat, speech: Speech
) -> tuple[Shoot, Count | None]:
    """Return what makes the frames, the photo moved as the job says; and what counts lost faces."""
    if job.motion == "file":
        assert job.driving is not None
        return await _following(job.driving, job, session, sat)
    animate = await session.models.animator(sat.portrait, sat.mesh)
    num_frames = _frames_of(job, speech)
    if job.motion == "idle":
        motion = await asyncio.to_thread(idle_motion, num_frames, job.fps, job.seed)
    else:
        motion = still_motion(num_frames)

    async def shoot(frames: slice) -> FrameGroup:
        moved = motion[frames]
        if job.motion == "idle":
            moved = _accented(moved, job, speech, frames)
        with session.times.measure("animate"):
            return await animate(moved)

    return shoot, None


def _accented(motion: Motion, job: TalkJob, speech: Speech, frames: slice) -> Motion:
    """Return the motion of frames [start, stop) with the accents of what is said in them."""
    span = (frames.start, frames.stop)
    heard = speech_windows(speech.levels, speech.gain_db, job.fps, *span)
    return accented(motion, heard, job.fps, job.seed, frames.start)


def _frames_of(job: TalkJob, speech: Speech) -> int:
    return frame_count(speech.sound.duration_s, job.fps)


async def _following(
    driving: bytes, job: TalkJob, session: Session, sat: Sat
) -> tuple[Shoot, Count]:
    """Return a photo whose pose and eyes follow a driving file, there and back if it is short.

    The driving face's mouth is not followed: the speech moves that.
    """
    source = await driving_of(session, driving, job.fps, keeps_sound=False, turns=True)
    animate = await session.models.animator(sat.portrait, sat.mesh)
    head = rotation(sat.mesh.points)
    limits = limits_of(session.args.portrait.variant)

    async def shoot(frames: slice) -> FrameGroup:
        performance = await source.performing.perform(frames)
        motion = as_motion(Driven(performance, source.first, TransferSettings()), head, limits)
        with session.times.measure("animate"):
            return await animate(motion)

    return shoot, lambda: source.performing.frames_without_face
