"""What drives a session, before any model sees it."""

from dataclasses import dataclass
from fractions import Fraction

from app.media.config import MediaConfig
from app.media.video_file import inspect_video
from app.observability.stages import StageTimes
from app.serving.decoders import Decoders
from app.serving.driving import SOUND_NOTE, sound_of
from app.serving.take import Session
from app.settings import AppArgs
from app.values import VideoFile
from tests.unit.media.recordings import speechlike
from tests.unit.media.test_kept_sound import clip, with_unknown_sound


@dataclass
class Given:
    """A video, and the session of a request that brought it."""

    video: VideoFile
    session: Session


def given(data: bytes) -> Given:
    session = Session(AppArgs(), None, Decoders(MediaConfig()), StageTimes())  # type: ignore[arg-type]
    return Given(inspect_video(data, MediaConfig()), session)


async def test_sound_that_cannot_be_read_is_left_out_and_told() -> None:
    video = given(with_unknown_sound("nellymoser"))
    assert await sound_of(video.session, video.video) == (None, (SOUND_NOTE,))


async def test_good_sound_comes_without_a_note() -> None:
    video = given(clip(speechlike(48_000)[0], "mp4"))
    sound, notes = await sound_of(video.session, video.video)
    assert notes == ()
    assert sound is not None
    assert sound.duration_s > Fraction(1, 2)
