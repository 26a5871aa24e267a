"""Validated requests; the media are still as they came.

Everywhere: `fps` in [1, 60]; `size` is the longer side of the answer in px, or None for the
medium's own; `face_index` says which face, 0 the largest, and None takes the largest.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from app.driving import TransferSettings

Pace = Literal["free", "live"]


@dataclass(frozen=True, slots=True)
class TalkJob:
    """A talking head from a photo and a recording.

    Attributes:
        portrait: bytes of an image file.
        audio: bytes of an audio file.
        fps: frames per second of the answer.
        size: see above.
        motion: "idle" sways and blinks, "none" holds the photo still, "file" follows `driving`.
        face_index: of the portrait.
        seed: of the idle motion.
        driving: bytes of a video or a motion sequence; None unless the motion is "file".
        pace: "free" renders as fast as it can, "live" as fast as the video plays.
        ticket: of an earlier refusal of this talk, for the place that it keeps; "new" asks for one.
    """

    portrait: bytes
    audio: bytes
    fps: Fraction
    size: int | None
    motion: Literal["idle", "none", "file"]
    face_index: int | None
    seed: int
    driving: bytes | None = None
    pace: Pace = "free"
    ticket: str = ""


@dataclass(frozen=True, slots=True)
class AnimateJob:
    """A photo that follows a driving video or a motion sequence.

    Attributes:
        portrait: bytes of an image file.
        driving: bytes of a video, or of a motion sequence as .npz.
        fps: of the answer; None takes the driving's own.
        size: see above.
        face_index: of the portrait; in a driving video, the largest face is followed.
        crop: whether the answer shows the square around the face alone, and not the whole photo.
        transfer: how the driving motion is followed.
    """

    portrait: bytes
    driving: bytes
    fps: Fraction | None
    size: int | None
    face_index: int | None
    crop: bool
    transfer: TransferSettings


@dataclass(frozen=True, slots=True)
class LipsyncJob:
    """A video or a photo whose mouth follows a recording.

    Attributes:
        face: bytes of a video, or of an image file if `is_photo`.
        is_photo: which of both it is.
        audio: bytes of an audio file.
        fps: of the answer; None takes the video's own, or 25 for a photo.
        size: see above.
        face_index: whose mouth, counted where a face is first seen.
    """

    face: bytes
    is_photo: bool
    audio: bytes
    fps: Fraction | None
    size: int | None
    face_index: int | None


@dataclass(frozen=True, slots=True)
class MotionsJob:
    """A motion sequence to be recorded from a driving video.

    Attributes:
        driving: bytes of a video.
        fps: of the sequence; None takes the video's own.
        face_index: which face to follow, counted where one is first seen.
    """

    driving: bytes
    fps: Fraction | None
    face_index: int | None


@dataclass(frozen=True, slots=True)
class FramesJob:
    """A few frames of a talking head, from a short piece of its speech.

    Attributes:
        portrait: bytes of an image file, or the id under which an earlier answer keeps it.
        audio: bytes of an audio file; or, if raw, 16-bit samples, mono, 16 kHz, little-endian.
        is_raw: which of both it is.
        fps: frames per second of the whole speech.
        size: see above; of a portrait that is sent.
        face_index: likewise.
        motion: "idle" sways and blinks, "none" holds the photo still.
        seed: of the idle motion.
        start: the first of the frames, counted from the start of the speech.
        count: how many frames; None for as many as the audio takes.
        before_ms: how much earlier than the first frame the audio begins.
        gain_db: what brings the speech to one level; None measures this piece of it.
        quality: of the JPEGs, 1 to 95.
    """

    portrait: bytes | str
    audio: bytes
    is_raw: bool
    fps: Fraction
    size: int | None
    face_index: int | None
    motion: Literal["idle", "none"]
    seed: int
    start: int
    count: int | None
    before_ms: float
    gain_db: float | None
    quality: int


ClipJob = TalkJob | AnimateJob | LipsyncJob
"""What is answered with a video."""
