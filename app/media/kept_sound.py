"""The sound that an uploaded video brings along, kept in time with its pictures."""

from collections.abc import Callable
from dataclasses import replace

from app.media.config import MediaConfig
from app.media.recording import read_blocks, start_of_sound
from app.media.sound import sound_of
from app.media.video_track import opened
from app.values import Sound, VideoFile


def kept_sound(
    video: VideoFile, config: MediaConfig, is_left: Callable[[], bool] = lambda: False
) -> Sound | None:
    """Return a video's own first sound track, which begins when its pictures do.

    What is heard before the first picture is dropped, and silence precedes sound that starts
    later. It may be silent, or end before or after the pictures. All of it is decoded once, to
    know that it can be, and not kept.

    Args:
        video: from `inspect_video`.
        config: limits of seconds, of which the larger one counts.
        is_left: asked again and again whether nobody waits for the sound any more.

    Returns:
        None where there is no sound track, or nothing of it is heard along with the pictures.

    Raises:
        Abandoned: `is_left` said so.
        AudioTooLong: as `app.media.recording.read_blocks`.
        UnsupportedMedia: likewise.
    """
    with opened(video.data) as container:
        if not container.streams.audio:
            return None
    count = rate_hz = channels = 0
    for block in read_blocks(video.data, max(config.max_audio_s, config.max_video_s), is_left):
        channels, rate_hz = len(block.samples), block.rate_hz
        count += block.samples.shape[1]
    if not count:
        return None
    sound = sound_of(video.data, count, rate_hz, channels)
    start_s = start_of_sound(video.data, is_left)
    late_s = 0 if start_s is None else start_s - video.start_s
    sound = replace(sound, delay_samples=round(late_s * sound.rate_hz))
    is_heard = late_s < video.duration_s and sound.duration_s > 0
    return sound if is_heard else None
