"""What requests may say, and what the JSON answers look like."""

from fractions import Fraction
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator

from app.driving import Region, TransferSettings
from app.errors import BadRequest
from app.jobs import Pace
from app.strict import Strict
from app.timeline import MAX_FPS, parse_fps

_SWITCH = "Send `true` or `false`."

HINTS = {
    "fps": "Send a number such as 25 or 29.97, or a ratio such as 30000/1001, from 1 to 60.",
    "size": "Send a number of px from 256 to 1024, or `source`.",
    "motion": "Send `idle` or `none`; to /v1/talk also `file`, with the part `driving`.",
    "face_index": "Send 0 for the largest face, 1 for the next, and so on.",
    "seed": "Send a whole number from 0 to 4294967295.",
    "mode": "Send `relative` or `absolute`.",
    "region": "Send `all`, `pose`, `exp`, `eyes` or `lip`.",
    "multiplier": "Send a number from 0 to 3.",
    "stitching": _SWITCH,
    "retarget_eyes": _SWITCH,
    "retarget_lips": _SWITCH,
    "crop": _SWITCH,
    "pace": "Send `free` or `live`.",
    "portrait_id": "Send the header x-digital-human-portrait of an earlier answer, or the photo.",
    "start": "Send the number of the first frame, counted from 0 at the start of the speech.",
    "frames": "Send a whole number of frames from 1 to 600, or leave it out.",
    "before_ms": "Send the milliseconds of audio before the first frame, from 0 to 10000.",
    "gain_db": "Send a number from -20 to 20, or leave it out.",
    "quality": "Send a whole number from 1 to 95.",
}
"""What each field takes, for those who sent something else."""


def _rate(value: object) -> Fraction:
    try:
        return parse_fps(str(value))
    except BadRequest as error:
        raise ValueError(error.detail) from None


Fps = Annotated[Fraction, BeforeValidator(_rate)]


class ClipOptions(Strict):
    """The text fields that all routes with a video in them share."""

    fps: Fps | None = None
    """Frames per second, 1 to 60: a number or a ratio such as 30000/1001; the driving's or the
    video's own when absent."""

    size: int | None = Field(default=512, ge=256, le=1024)
    """Longer side of the video in px, 256 to 1024, or `source` for the medium's own."""

    face_index: int | None = Field(default=None, ge=0, le=63)
    """Which face, 0 the largest; the largest when absent."""

    @field_validator("size", mode="before")
    @classmethod
    def _parse_size(cls, value: object) -> object:
        return None if value == "source" else value


class TalkOptions(ClipOptions):
    """The text fields of `POST /v1/talk`."""

    fps: Fps = Fraction(25)
    """As everywhere; 25 when absent."""

    motion: Literal["idle", "none", "file"] = "idle"
    """`idle` sways and blinks; `none` holds the photo still but for the mouth; `file` follows the
    head and the eyes of the part `driving`."""

    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    """Seed of the idle motion: equal seeds give equal motion."""

    pace: Pace = "free"
    """`live` renders as fast as the video plays; `free` as fast as it can."""


class FramesOptions(ClipOptions):
    """The text fields of `POST /v1/frames`."""

    fps: Fps = Fraction(25)
    """As everywhere; 25 when absent."""

    motion: Literal["idle", "none"] = "idle"
    """As of a talk."""

    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    """As of a talk."""

    portrait_id: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    """Of a portrait that this server keeps, in place of the part `portrait`."""

    start: int = Field(default=0, ge=0, le=10 * 3600 * MAX_FPS)
    """The first frame, counted from the start of the speech; at most ten hours of 60 fps."""

    frames: int | None = Field(default=None, ge=1, le=600)
    """How many; as many as the audio takes when absent."""

    before_ms: float = Field(default=0.0, ge=0, le=10_000, allow_inf_nan=False)
    """How much earlier than the first frame the audio begins."""

    gain_db: float | None = Field(default=None, ge=-20, le=20, allow_inf_nan=False)
    """What brings the speech to one level; measured in this chunk when absent."""

    quality: int = Field(default=90, ge=1, le=95)
    """Of the JPEGs, on libjpeg's scale."""


class AnimateOptions(ClipOptions):
    """The text fields of `POST /v1/animate`."""

    mode: Literal["relative", "absolute"] = "relative"
    """Changes since the driving's first frame are added to the photo, or the driving's own pose
    and expression replace the photo's."""

    region: Region = "all"
    """What follows the driving: everything, or only the head's pose, the expression, the eyes or
    the lips."""

    multiplier: float = Field(default=1.0, ge=0, le=3, allow_inf_nan=False)
    """Of all movement."""

    stitching: bool = True
    """Keep the shoulders where they are."""

    retarget_eyes: bool = False
    """Open the eyes as far as the driving's are."""

    retarget_lips: bool = False
    """Open the lips as far as the driving's are."""

    crop: bool = False
    """Answer with the square around the face, not with the whole photo."""

    def transfer(self) -> TransferSettings:
        """Return how the driving motion is followed."""
        return TransferSettings(
            region=self.region,
            relative=self.mode == "relative",
            multiplier=self.multiplier,
            stitching=self.stitching,
            retarget_eyes=self.retarget_eyes,
            retarget_lips=self.retarget_lips,
        )


class LipsyncOptions(ClipOptions):
    """The text fields of `POST /v1/lipsync`."""


class MotionsOptions(Strict):
    """The text fields of `POST /v1/motions`."""

    fps: Fps | None = None
    face_index: int | None = Field(default=None, ge=0, le=63)
