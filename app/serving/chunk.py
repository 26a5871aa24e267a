"""A chunk of frames: from a portrait and a short piece of its speech to a scene."""

import asyncio
from dataclasses import dataclass

from app.jobs import FramesJob
from app.media.chunk import Piece, Span
from app.pipeline.accents import accented
from app.pipeline.motion import idle_motion, still_motion
from app.pipeline.session import Scene
from app.serving.mouths import lips_for_piece, windows_of_piece
from app.serving.sitters import Seated, Sitters
from app.serving.take import Session
from app.values import FrameGroup, Motion


@dataclass(frozen=True, slots=True)
class Chunk:
    """A few frames that are ready to be rendered.

    Attributes:
        scene: what is rendered.
        seated: its portrait.
        gain_db: what brought the speech to one level.
    """

    scene: Scene
    seated: Seated
    gain_db: float


async def chunk(job: FramesJob, session: Session, sitters: Sitters) -> Chunk:
    """Return a chunk ready to be rendered."""
    span = Span(job.start, job.count, job.before_ms, job.fps)
    limits = session.args.frames
    with session.times.measure("decode"):
        piece = await session.decoders.piece(job.audio, job.is_raw, span, limits)
    seated = await sitters.seated(job, session)
    gain_db = piece.gain_db if job.gain_db is None else job.gain_db
    motion = await asyncio.to_thread(_motion, job, piece, gain_db, span)

    async def shoot(frames: slice) -> FrameGroup:
        with session.times.measure("animate"):
            return await seated.animate(motion[frames])

    lips = lips_for_piece(session, piece, gain_db, span)
    return Chunk(Scene(piece.frames, shoot, lips, session.times.measure), seated, gain_db)


def _motion(job: FramesJob, piece: Piece, gain_db: float, span: Span) -> Motion:
    """Return how the head moves, accents of the speech included."""
    if job.motion == "none":
        return still_motion(piece.frames)
    motion = idle_motion(piece.frames, job.fps, job.seed, job.start)
    heard = windows_of_piece(piece, gain_db, span)(0, piece.frames)
    return accented(motion, heard, job.fps, job.seed, job.start)
