"""A motion sequence recorded from a driving video."""

import asyncio

import numpy as np

from app.driving import Performance
from app.errors import UnsupportedMedia
from app.jobs import MotionsJob
from app.serving.driving import ZIP, driving_of
from app.serving.take import Session
from app.variants.liveportrait.sequence import MotionSequence, dump


async def record(job: MotionsJob, session: Session) -> tuple[bytes, int, int]:
    """Return the .npz, its frames, and in how many of them the face was not seen.

    Raises:
        AppError: the video is refused, or shows no face.
    """
    if job.driving.startswith(ZIP):
        raise UnsupportedMedia(
            "The driving file is a motion sequence already.", "Send the video to be recorded."
        )
    driving = await driving_of(
        session, job.driving, job.fps, face_index=job.face_index, keeps_sound=False
    )
    step, rows = session.args.session.group_frames, []
    for start in range(0, driving.num_frames, step):
        frames = slice(start, min(start + step, driving.num_frames))
        rows.append((await driving.performing.perform(frames)).rows())
    whole = Performance.of_rows(np.concatenate(rows))
    data = await asyncio.to_thread(dump, MotionSequence(whole, driving.fps))
    return data, driving.num_frames, driving.performing.frames_without_face
