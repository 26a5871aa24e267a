"""A photo that follows a driving file: from both to a scene."""

from app.driving import Driven, TransferSettings
from app.errors import BadRequest
from app.jobs import AnimateJob
from app.pipeline.session import Scene
from app.serving.driving import Driving, driving_of
from app.serving.sitting import sit
from app.serving.take import Session, Take, notes_of
from app.values import FrameGroup
from app.variants.config import PortraitConfig


async def animate(job: AnimateJob, session: Session) -> Take:
    """Return an animated photo ready to be rendered.

    Raises:
        AppError: the media are refused, or the portrait model does not do what is asked for.
    """
    _check_variant(job.transfer, session.args.portrait)
    driving_first = driving_of(session, job.driving, job.fps)
    photo, driving = await session.photo_and(job.portrait, driving_first)
    transfer = job.transfer
    _check_openings(transfer, driving)
    sat = await sit(session, photo.portrait, job.size, job.face_index, crop=job.crop)
    rendered = await session.models.animator(sat.portrait, sat.mesh)

    async def shoot(frames: slice) -> FrameGroup:
        performance = await driving.performing.perform(frames)
        with session.times.measure("animate"):
            return await rendered(Driven(performance, driving.first, transfer))

    height, width = sat.portrait.pixels.shape[:2]
    return Take(
        scene=Scene(driving.num_frames, shoot, None, session.times.measure),
        sound=driving.sound,
        fps=driving.fps,
        width=width,
        height=height,
        faces=sat.faces,
        times=session.times,
        notes=(*notes_of(photo), *_left_out(session.args.portrait)),
        frames_without_face=lambda: driving.performing.frames_without_face,
        close=session.close,
    )


def _left_out(config: PortraitConfig) -> tuple[str, ...]:
    """Return what the client should know of the portrait model."""
    return ("head-and-eyes-only",) if config.variant == "puppet" else ()


def _check_variant(transfer: TransferSettings, config: PortraitConfig) -> None:
    """Refuse what the puppet cannot do, so that nobody takes its silence for a result."""
    if config.variant != "puppet":
        return
    if transfer.region == "lip" or transfer.retarget_lips:
        raise BadRequest(
            "The embedded portrait model follows the head and the eyes, not the lips.",
            "Leave `region=lip` and `retarget_lips` out, or serve the variant `liveportrait`.",
        )


def _check_openings(transfer: TransferSettings, driving: Driving) -> None:
    """Refuse retargeting to openings that a motion sequence does not have."""
    lacks_eyes = transfer.retarget_eyes and driving.first.eyes is None
    lacks_lips = transfer.retarget_lips and driving.first.lips is None
    if lacks_eyes or lacks_lips:
        what = "eyes" if lacks_eyes else "lip"
        raise BadRequest(
            f"The motion sequence has no `{what}`, the openings to retarget to.",
            f"Leave `retarget_{'eyes' if lacks_eyes else 'lips'}` out, or send the video.",
        )
