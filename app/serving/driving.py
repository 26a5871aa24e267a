"""A driving video or motion sequence, as it came, to the performance of a session."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from app.driving import Performance, TransferSettings
from app.errors import NoFace
from app.face.choice import choose
from app.face.tracking import Track
from app.pipeline.footage import Footage
from app.pipeline.performing import DrivingSequence, DrivingVideo
from app.serving.decoders import VideoPlayer
from app.serving.take import Session
from app.timeline import frame_count
from app.values import FaceMesh, Portrait, Sound, VideoFile
from app.variants.liveportrait.driving import DrivingSquare
from app.variants.liveportrait.sequence import load
from app.variants.liveportrait.transfer import reference

ZIP = b"PK\x03\x04"
"""How a motion sequence begins, and no video."""

SEARCH_S = 5.0
SEARCH_STEP_S = 0.5
"""So much of a video is searched for a face before it is refused, and how densely."""


@dataclass(frozen=True, slots=True)
class Driving:
    """What drives a session.

    Attributes:
        performing: makes the performance.
        first: T = 1, what relative movement is measured from.
        fps: of the session.
        num_frames: that the driving takes at this rate, once through.
        faces: how many there are where one is first seen.
        sound: that comes with it, or None.
    """

    performing: DrivingVideo | DrivingSequence
    first: Performance
    fps: Fraction
    num_frames: int
    faces: int
    sound: Sound | None


async def driving_of(
    session: Session,
    data: bytes,
    fps: Fraction | None,
    *,
    face_index: int | None = None,
    keeps_sound: bool = True,
) -> Driving:
    """Return what drives a session.

    Args:
        session: of the request.
        data: a video, or a motion sequence as .npz.
        fps: of the session; None takes the driving's own.
        face_index: whom to follow in a video.
        keeps_sound: whether a video's sound is wanted.

    Raises:
        AppError: the file is refused, or shows no face.
    """
    if data.startswith(ZIP):
        return _of_sequence(data, fps)
    with session.times.measure("decode"):
        video = await session.decoders.video(data, session.left)
        sound = await session.decoders.sound(video, session.left) if keeps_sound else None
    fps = fps or video.fps
    side_px = min(session.args.face.max_side_px, max(video.width, video.height))
    footage = await film(session, video, fps, side_px, face_index)
    points, seen, _ = await footage.follow(footage.pixels[None], (0.0,), footage.track())
    points = points if seen[0] else footage.mesh.points[None]
    first = await _watch(session, points)(footage.pixels[None], points)
    performing = DrivingVideo(footage.whole(), _watch(session, points), first, fps)
    return Driving(performing, first, fps, footage.num_slots, footage.faces, sound)


def _of_sequence(data: bytes, fps: Fraction | None) -> Driving:
    sequence = load(data)
    performance, own = sequence.performance, sequence.fps
    num_frames = frame_count(len(performance) / own, fps or own)
    performing = DrivingSequence(performance, own, fps or own)
    # Of a single motion, as of a driving picture, the first one is a face at rest.
    rest = reference(performance.motion, TransferSettings())
    first = replace(performance[:1], motion=rest)
    return Driving(performing, first, fps or own, num_frames, 0, None)


@dataclass(frozen=True, slots=True)
class Film:
    """A video whose face is known where it is first seen.

    Attributes:
        read: returns pictures of slots.
        follow: follows the face.
        num_slots: frames at the session's rate.
        fps: of the session.
        width: px, of the pictures.
        height: px.
        pixels: (H, W, 3) uint8 RGB, the first picture that shows the face.
        mesh: the face in it.
        faces: how many are in it.
    """

    read: Callable[[Sequence[int]], Awaitable[NDArray[np.uint8]]]
    follow: Callable[
        [NDArray[np.uint8], Sequence[float], Track],
        Awaitable[tuple[NDArray[np.float32], NDArray[np.bool_], Track]],
    ]
    num_slots: int
    fps: Fraction
    width: int
    height: int
    pixels: NDArray[np.uint8]
    mesh: FaceMesh
    faces: int

    def track(self) -> Track:
        """Return where following begins."""
        return Track(place=self.mesh)

    def whole(self) -> Footage[Track]:
        """Return the video from its start on; once, because decoding goes on with it."""
        return Footage(self.read, self.follow, self.track(), self.num_slots, self.fps)


async def film(
    session: Session, video: VideoFile, fps: Fraction, side_px: int | None, face_index: int | None
) -> Film:
    """Return a video opened, and its face found.

    Raises:
        NoFace: there is none in its first seconds, or not the asked one.
        FaceTooSmall, FaceTurnedAway: of the face there.
    """
    player = session.player()
    reader = await player.open(video, fps, side_px, session.args.media)

    async def read(slots: Sequence[int]) -> NDArray[np.uint8]:
        with session.times.measure("read"):
            return await player.read(slots)

    async def follow(
        pixels: NDArray[np.uint8], times_s: Sequence[float], track: Track
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_], Track]:
        with session.times.measure("track"):
            followed = await session.models.follow(pixels, times_s, track)
        return followed.points, followed.seen, followed.track

    with session.times.measure("face"):
        pixels, meshes = await _first_faces(session, player, reader.num_slots, fps)
    # A face is large enough, or not, in the video's own pixels.
    shrink = max(reader.width, reader.height) / max(video.width, video.height)
    own = [mesh.scaled(1 / shrink, 1 / shrink) for mesh in meshes]
    mesh = choose(own, face_index, session.args.face).scaled(shrink, shrink)
    size = (reader.width, reader.height)
    return Film(read, follow, reader.num_slots, fps, *size, pixels, mesh, len(meshes))


async def _first_faces(
    session: Session, player: VideoPlayer, num_slots: int, fps: Fraction
) -> tuple[NDArray[np.uint8], list[FaceMesh]]:
    """Return the first picture looked at that shows faces, and those."""
    step = max(1, round(SEARCH_STEP_S * fps))
    for slot in range(0, min(num_slots, round(SEARCH_S * fps) + 1), step):
        (pixels,) = await player.read((slot,))
        meshes = await session.models.faces(Portrait(pixels))
        if meshes:
            return pixels, meshes
    raise NoFace(
        f"No face was found in the first {SEARCH_S:g} s of the video.",
        "Use a video in which a face looks towards the camera from its beginning.",
    )


def _watch(
    session: Session, points: NDArray[np.float32]
) -> Callable[[NDArray[np.uint8], NDArray[np.float32]], Awaitable[Performance]]:
    """Return what sees what faces do, in a square that begins around given points."""
    square = DrivingSquare(points)

    async def watch(pixels: NDArray[np.uint8], points: NDArray[np.float32]) -> Performance:
        with session.times.measure("watch"):
            watched = await asyncio.to_thread(square.cut, list(pixels), points)
            return watched.in_first(await session.models.watch(watched.faces))

    return watch
