"""A video or a photo whose mouth follows a recording: from both to a scene."""

from fractions import Fraction

import numpy as np

from app.face.choice import check_size
from app.jobs import LipsyncJob
from app.pipeline.session import Scene, Shoot
from app.serving.driving import film
from app.serving.mouths import lips_for
from app.serving.sitting import sit
from app.serving.take import Session, Take, notes_of
from app.timeline import frame_count
from app.values import FrameGroup, Speech

PHOTO_FPS = Fraction(25)


async def lipsync(job: LipsyncJob, session: Session) -> Take:
    """Return a lip-synced video ready to be rendered."""
    return await (_of_photo if job.is_photo else _of_video)(job, session)


async def _of_photo(job: LipsyncJob, session: Session) -> Take:
    """Return a photo that stands still but for its mouth."""
    with session.times.measure("decode"):
        hearing = session.decoders.speech(job.audio, session.left)
        photo, speech = await session.photo_and(job.face, hearing)
    sat = await sit(session, photo.portrait, job.size, job.face_index)
    pixels, points = sat.portrait.pixels, sat.mesh.points[:, :2]

    async def shoot(frames: slice) -> FrameGroup:
        count = frames.stop - frames.start
        still = np.broadcast_to(pixels, (count, *pixels.shape))
        return FrameGroup(still, np.repeat(points[None], count, axis=0))

    height, width = pixels.shape[:2]
    fps = job.fps or PHOTO_FPS
    return _take(session, speech, fps, shoot, (width, height, sat.faces), notes_of(photo))


async def _of_video(job: LipsyncJob, session: Session) -> Take:
    """Return a video, there and back as long as the speech goes on, with another mouth."""
    with session.times.measure("decode"):
        speech = await session.decoders.speech(job.audio, session.left)
        video = await session.decoders.video(job.face, session.left)
    session.check_size(job.size, video.width, video.height)
    fps = job.fps or video.fps
    footage = await film(session, video, fps, job.size, job.face_index)
    check_size(footage.mesh, session.args.face)
    whole, without = footage.whole(), _Count()

    async def shoot(frames: slice) -> FrameGroup:
        shot = await whole.shot(frames)
        without.add(int((~shot.seen).sum()))
        return FrameGroup(shot.pixels, np.ascontiguousarray(shot.points[..., :2]), shot.seen)

    size = (footage.width, footage.height, footage.faces)
    return _take(session, speech, fps, shoot, size, (), without)


class _Count:
    """A number that grows."""

    def __init__(self) -> None:
        self._total = 0

    def add(self, more: int) -> None:
        self._total += more

    def __call__(self) -> int:
        return self._total


def _take(
    session: Session,
    speech: Speech,
    fps: Fraction,
    shoot: Shoot,
    size: tuple[int, int, int],
    notes: tuple[str, ...],
    frames_without_face: _Count | None = None,
) -> Take:
    width, height, faces = size
    return Take(
        scene=Scene(
            num_frames=frame_count(speech.sound.duration_s, fps),
            shoot=shoot,
            lips=lips_for(session, speech, fps),
            measure=session.times.measure,
        ),
        sound=speech.sound,
        fps=fps,
        width=width,
        height=height,
        faces=faces,
        times=session.times,
        notes=notes,
        frames_without_face=frames_without_face,
        close=session.close,
    )
