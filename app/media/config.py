"""Limits of what is decoded, and knobs of what is encoded."""

from typing import Annotated, Literal

from pydantic import Field

from app.strict import Settings

X264Preset = Literal[
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"
]
Channel = Annotated[int, Field(ge=0, le=255)]


class MediaConfig(Settings):
    """Every setting of this room."""

    max_pixels: int = Field(default=50_000_000, gt=0)
    """Largest portrait, width times height, read from its header before it is decoded."""

    max_decoded_bytes: int = Field(default=450_000_000, gt=0)
    """Most memory that decoding a portrait may take; JPEGs are made smaller on the way."""

    max_video_side_px: int = Field(default=2048, ge=1024)
    """Longest side of a video at the photo's own size."""

    max_video_pixels: int = Field(default=9_437_184, gt=0)
    """Largest picture of an uploaded video, width times height; a decoder may hold 17 of them."""

    max_video_s: float = Field(default=600.0, gt=0)
    """Longest uploaded video in seconds, told from its packets before any is decoded."""

    background_rgb: tuple[Channel, Channel, Channel] = Field(default=(255, 255, 255), strict=False)
    """Colour beneath transparent pixels; white, as viewers and pages show a cut-out."""

    max_audio_s: float = Field(default=600.0, gt=0)
    """Longest recording in seconds; decoding stops there."""

    min_audio_s: float = Field(default=0.02, gt=0)
    """Shortest recording in seconds."""

    silence_dbfs: float = Field(default=-70.0, lt=0)
    """A recording whose loudest sample stays below this has nothing to lip-sync to."""

    label: Literal["visible", "metadata", "none"] = "metadata"
    """How a video says that it is synthetic: in the picture and its metadata, in the metadata
    alone, or not at all (where the law asks for a mark, you then add your own)."""

    crf: int = Field(default=23, ge=0, le=51)
    """Constant quality of H.264; lower is better and larger, 18 is near transparent."""

    preset: X264Preset = "veryfast"
    """Effort of the H.264 encoder; veryfast halves ultrafast's bytes at 1.5 times its time."""

    keyframe_interval_s: float = Field(default=3.0, gt=0, le=60)
    """Seconds between key frames, where a player can seek to."""

    audio_bitrate_bps: int = Field(default=96_000, ge=16_000, le=320_000)
    """AAC bits per second and channel; lowered where the sample rate does not allow it."""
