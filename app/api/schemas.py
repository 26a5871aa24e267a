"""What requests may say, and what the JSON answers look like."""

from fractions import Fraction
from typing import Literal

from pydantic import Field, field_validator

from app.errors import BadRequest
from app.strict import Strict
from app.timeline import parse_fps

HINTS = {
    "fps": "Send a number such as 25 or 29.97, or a ratio such as 30000/1001, from 1 to 60.",
    "size": "Send a number of px from 256 to 1024, or `source`.",
    "motion": "Send `idle` or `none`.",
    "face_index": "Send 0 for the largest face, 1 for the next, and so on.",
    "seed": "Send a whole number from 0 to 4294967295.",
}
"""What each field takes, for those who sent something else."""


class TalkOptions(Strict):
    """The text fields of `POST /v1/talk`."""

    fps: Fraction = Fraction(25)
    """Frames per second, 1 to 60: a number or a ratio such as 30000/1001."""

    size: int | None = Field(default=512, ge=256, le=1024)
    """Longer side of the video in px, 256 to 1024, or `source` for the photo's own."""

    motion: Literal["idle", "none"] = "idle"
    """`idle` sways and blinks; `none` holds the photo still but for the mouth."""

    face_index: int | None = Field(default=None, ge=0, le=63)
    """Which face to animate, 0 the largest; the largest when absent."""

    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    """Seed of the idle motion: equal seeds give equal motion."""

    @field_validator("fps", mode="before")
    @classmethod
    def _parse_fps(cls, value: object) -> Fraction:
        try:
            return parse_fps(str(value))
        except BadRequest as error:
            raise ValueError(error.detail) from None

    @field_validator("size", mode="before")
    @classmethod
    def _parse_size(cls, value: object) -> object:
        return None if value == "source" else value
