"""A driving video or motion sequence, as it came, to the performance of a session."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from app.driving import Performance, TransferSettings
from app.errors import AppError, FaceTooSmall, FaceTurnedAway, NoFace
from app.face.choice import choose
from app.face.tracking import Track
from app.media.image import fit
from app.media.kept_sound import SoundUnusable
from app.pipeline.footage import Follow, Footage
from app.pipeline.performing import DrivingSequence, DrivingVideo
from app.serving.take import Session
from app.timeline import frame_count
from app.values import FaceMesh, Portrait, Sound, VideoFile
from app.variants.liveportrait.driving import DrivingSquare
from app.variants.liveportrait.sequence import MotionSequence
from app.variants.liveportrait.transfer import reference

ZIP = b"PK\x03\x04"
"""How a motion sequence begins, and no video."""

SOUND_NOTE = "sound-unusable"

SEARCH_S = Fraction(10)
SEARCH_STEP_S = Fraction(1, 2)
"""So much of a driving video is searched for a face before it is refused, and how densely."""


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
        notes: what the client should know about it, by short stable names.
    """

    performing: DrivingVideo | DrivingSequence
    first: Performance
    fps: Fraction
    num_frames: int
    faces: int
    sound: Sound | None
    notes: tuple[str, ...] = ()


async def driving_of(
    session: Session,
    data: bytes,
    fps: Fraction | None,
    *,
    face_index: int | None = None,
    keeps_sound: bool = True,
    turns: bool = False,
) -> Driving:
    """Return what drives a session.

    Args:
        session: of the request.
        data: a video, or a motion sequence as .npz.
        fps: of the session; None takes the driving's own.
        face_index: whom to follow in a video.
        keeps_sound: whether a video's sound is wanted.
        turns: past its end, whether a motion sequence goes back and forth, or stays.

    Raises:
        AppError: the file is refused, or shows no face.
    """
    if data.startswith(ZIP):
        with session.times.measure("decode"):
            sequence = await session.decoders.sequence(data)
        return _of_sequence(sequence, fps, turns=turns)
    with session.times.measure("decode"):
        video = await session.decoders.video("driving", data, session.left)
        sound, notes = await sound_of(session, video) if keeps_sound else (None, ())
    fps = fps or video.fps
    side_px = min(session.args.face.max_side_px, max(video.width, video.height))
    footage = await film(session, video, fps, side_px, face_index, SEARCH_S)
    whole = footage.whole(side_px)
    track = footage.track(side_px)
    points, seen, _ = await footage.follow(footage.pixels[None], (footage.first_s,), track)
    points = points if seen[0] else footage.mesh.points[None]
    first = await _watch(session, points)(footage.pixels[None], points)
    performing = DrivingVideo(whole, _watch(session, points), first, fps)
    return Driving(performing, first, fps, footage.num_slots, footage.faces, sound, notes)


async def sound_of(session: Session, video: VideoFile) -> tuple[Sound | None, tuple[str, ...]]:
    """Return a video's sound, and a note where it has one that cannot be read."""
    try:
        return await session.decoders.sound(video, session.left), ()
    except SoundUnusable:
        return None, (SOUND_NOTE,)


def _of_sequence(sequence: MotionSequence, fps: Fraction | None, *, turns: bool) -> Driving:
    performance, own = sequence.performance, sequence.fps
    num_frames = frame_count(len(performance) / own, fps or own)
    performing = DrivingSequence(performance, own, fps or own, turns=turns)
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
        first_s: media time at which the face is first seen well, seconds.
        pixels: (H, W, 3) uint8 RGB, the picture there.
        mesh: the face in it.
        faces: how many are in it.
    """

    read: Callable[[Sequence[int]], Awaitable[NDArray[np.uint8]]]
    follow: Follow[Track]
    num_slots: int
    fps: Fraction
    width: int
    height: int
    first_s: float
    pixels: NDArray[np.uint8]
    mesh: FaceMesh
    faces: int

    def track(self, max_side_px: int) -> Track:
        """Return where following begins, in copies of a longest side."""
        factor = min(1.0, max_side_px / max(self.width, self.height))
        return Track(place=self.mesh.scaled(factor, factor), seen_s=self.first_s)

    def whole(self, max_side_px: int) -> Footage[Track]:
        """Return the video from its start on; once, because decoding goes on with it."""
        track = self.track(max_side_px)
        return Footage(self.read, self.follow, track, self.num_slots, self.fps)


async def film(
    session: Session,
    video: VideoFile,
    fps: Fraction,
    side_px: int | None,
    face_index: int | None,
    search_s: Fraction | None = None,
) -> Film:
    """Return a video opened, and its face found.

    Args:
        session: of the request.
        video: the file.
        fps: of the session.
        side_px: longer side of the pictures; None keeps the video's.
        face_index: which face, counted where one can be followed first; None takes the largest.
        search_s: how much of the video is searched for it; None searches all of it.

    Raises:
        NoFace: there is none, or not the asked one.
        FaceTooSmall, FaceTurnedAway: there is no better one.
    """
    player = session.player()
    reader = await player.open(video, fps, side_px, session.args.media)
    size = (reader.width, reader.height)

    async def read(slots: Sequence[int]) -> NDArray[np.uint8]:
        with session.times.measure("read"):
            return await player.read(slots)

    searched = reader.num_slots
    if search_s is not None:
        searched = min(searched, math.floor(search_s * fps) + 1)
    # A face is large enough, or not, in the video's own pixels.
    shrink = max(size) / max(video.width, video.height)
    with session.times.measure("face"):
        found = await _first_face(session, read, searched, fps, shrink, face_index)
    first_s, pixels, mesh, faces = found
    return Film(
        read=read,
        follow=_follow(session, size),
        num_slots=reader.num_slots,
        fps=fps,
        width=reader.width,
        height=reader.height,
        first_s=first_s,
        pixels=pixels,
        mesh=mesh,
        faces=faces,
    )


async def _first_face(
    session: Session,
    read: Callable[[Sequence[int]], Awaitable[NDArray[np.uint8]]],
    num_slots: int,
    fps: Fraction,
    shrink: float,
    face_index: int | None,
) -> tuple[float, NDArray[np.uint8], FaceMesh, int]:
    """Return when the asked face is first seen well, the picture, its mesh, and how many are there.

    Args:
        session: of the request.
        read: of the video.
        num_slots: how many are searched.
        fps: of the slots.
        shrink: what the video's pixels were scaled by.
        face_index: of `film`.
    """
    refusal: AppError | None = None
    for slot in range(0, num_slots, max(1, round(SEARCH_STEP_S * fps))):
        (pixels,) = await read((slot,))
        meshes = await session.models.faces(Portrait(pixels))
        if not meshes:
            continue
        own = [mesh.scaled(1 / shrink, 1 / shrink) for mesh in meshes]
        try:
            mesh = choose(own, face_index, session.args.face)
        except (NoFace, FaceTooSmall, FaceTurnedAway) as error:
            refusal = refusal or error
            continue
        return float(slot / fps), pixels, mesh.scaled(shrink, shrink), len(meshes)
    raise refusal or NoFace(
        f"No face was found in the first {float(num_slots / fps):.3g} s of the video.",
        "Use a video in which a face looks towards the camera from its beginning.",
    )


def _follow(session: Session, size: tuple[int, int]) -> Follow[Track]:
    """Return what follows a face through pictures of a size, in copies of bounded size."""
    side_px = min(max(size), session.args.face.max_side_px)
    factor = np.float32(side_px / max(size))

    def small(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.stack([fit(Portrait(each), side_px).portrait.pixels for each in pixels])

    async def follow(
        pixels: NDArray[np.uint8], times_s: Sequence[float], track: Track
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_], Track]:
        with session.times.measure("track"):
            copies = pixels if factor == 1 else await asyncio.to_thread(small, pixels)
            followed = await session.models.follow(copies, times_s, track)
        return followed.points / factor, followed.seen, followed.track

    return follow


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
