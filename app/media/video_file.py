"""Uploaded videos: bytes to what their picture track holds, before anything is done with them."""

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING

from app.errors import BadRequest, TooLarge, UnsupportedMedia
from app.media.config import MediaConfig
from app.media.picture import is_sideways
from app.media.picture_decoder import PictureDecoder
from app.media.video_track import VideoTrack, damaged
from app.timeline import MAX_FPS, MIN_FPS, clamped_fps, nominal_fps
from app.values import VideoFile

if TYPE_CHECKING:
    from array import array

    import av

# No camera's pixels are further from square; whoever says so is wrong.
_MAX_ASPECT = 4

_JITTER_TICKS = Fraction(3, 2)
"""A stamp is rounded to a tick, by some writers downwards: two may be so much too far apart."""


def inspect_video(
    data: bytes, config: MediaConfig, is_left: Callable[[], bool] = lambda: False
) -> VideoFile:
    """Return what the picture track of a file holds, all packets read and the first one decoded.

    Time is that of FFmpeg: edit lists are honoured, and a recording that begins midway starts
    with its first key frame.

    Args:
        data: a whole file of a container that `app.media.video_track` lists.
        config: limits of pixels and seconds.
        is_left: asked again and again whether nobody waits for the video any more.

    Raises:
        Abandoned: `is_left` said so.
        BadRequest: no bytes.
        TooLarge: over `config.max_video_pixels` or `config.max_pixels`, or longer than
            `config.max_video_s`.
        UnsupportedMedia: another format or codec, no picture track, no time stamps, or a file
            that is damaged or ends early.
    """
    if not data:
        raise BadRequest("The video is empty.", "Attach a video with pictures in it.")
    max_pixels = min(config.max_pixels, config.max_video_pixels)
    track = VideoTrack(data, max_pixels, is_left)
    try:
        fps, is_constant_rate = _rate(track.stamps, track.tick_s, track.stream.guessed_rate)
        duration_s = _duration_s(track, fps if is_constant_rate else None)
        if duration_s > config.max_video_s:
            raise TooLarge(
                f"The video is longer than {config.max_video_s:g} seconds.", "Send a shorter one."
            )
        width, height = _size(track, _first_picture(track, is_left), max_pixels)
        start_s = track.stamps[0] * track.tick_s
        return VideoFile(
            data, width, height, fps, start_s, duration_s, is_constant_rate, len(track)
        )
    finally:
        track.close()


def _first_picture(track: VideoTrack, is_left: Callable[[], bool]) -> "av.VideoFrame":
    first = PictureDecoder(track, is_left).next()
    if first is None:
        raise damaged()
    return first[1]


def _duration_s(track: VideoTrack, fps: Fraction | None) -> Fraction:
    """Return how long the pictures take, at a constant rate as long as that, not as the clock."""
    duration_s = (track.end - track.stamps[0]) * track.tick_s
    if fps and abs(len(track) / fps - duration_s) <= 2 * _JITTER_TICKS * track.tick_s:
        return len(track) / fps
    return duration_s


def _size(track: VideoTrack, frame: "av.VideoFrame", max_pixels: int) -> tuple[int, int]:
    """Return width and height, upright, even, and with square pixels."""
    width, height = frame.width, frame.height
    aspect = track.stream.sample_aspect_ratio or Fraction(1)
    if Fraction(1, _MAX_ASPECT) <= aspect < 1:
        height = round(height / aspect)  # the finer side stays as it is
    elif 1 < aspect <= _MAX_ASPECT:
        width = round(width * aspect)
    if is_sideways(frame):
        width, height = height, width
    if width < 2 or height < 2:
        raise UnsupportedMedia("The video's pictures are too small to show anything.")
    if width * height > max_pixels:
        raise TooLarge(
            f"The video's pictures have {width} x {height} pixels.",
            f"Send a video of at most {max_pixels} pixels a picture, such as 1080p.",
        )
    return width & ~1, height & ~1


def _rate(stamps: "array[int]", tick_s: Fraction, stated: Fraction | None) -> tuple[Fraction, bool]:
    """Return the nominal rate in Hz, in [1, 60], and whether the stamps keep to one rate.

    A rate is kept to where every stamp is where it puts it, as finely as the clock can say. Of
    several such rates, the one that the container states counts, then a usual one.
    """
    span_s = (stamps[-1] - stamps[0]) * tick_s
    if not span_s:
        return clamped_fps(nominal_fps(stated or Fraction(25))), True
    mean = (len(stamps) - 1) / span_s
    usual = nominal_fps(mean)
    for rate in (stated, usual, mean):
        if rate and _keeps_to(stamps, 1 / (rate * tick_s)):
            return clamped_fps(_named(rate, stamps, tick_s)), True
    return clamped_fps(usual), False


def _named(rate: Fraction, stamps: "array[int]", tick_s: Fraction) -> Fraction:
    """Return the usual rate that the stamps cannot tell from `rate`, otherwise `rate`."""
    usual = nominal_fps(rate)
    is_same = MIN_FPS <= rate <= MAX_FPS and _keeps_to(stamps, 1 / (usual * tick_s))
    return usual if is_same else rate


def _keeps_to(stamps: "array[int]", gap: Fraction) -> bool:
    """Whether all stamps are, within a clock's rounding, `gap` ticks apart."""
    numerator, denominator, first = gap.numerator, gap.denominator, stamps[0]
    allowed = int(_JITTER_TICKS * denominator)
    return all(
        abs((stamp - first) * denominator - i * numerator) <= allowed
        for i, stamp in enumerate(stamps)
    )
