"""From an uploaded recording to the finished video: nothing moves in time."""

import io
from fractions import Fraction

import av
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.media.audio import decode_speech
from app.media.config import MediaConfig
from app.media.mp4 import Mp4Writer
from app.media.probe import probe_video
from app.timeline import frame_count
from app.values import Sound
from tests.unit.media.recordings import encoded, lag_s, recording, sound_from, speechlike

CONFIG = MediaConfig(preset="ultrafast")
FPS = st.sampled_from(
    [Fraction(24_000, 1001), Fraction(30_000, 1001), *map(Fraction, (24, 25, 30, 50, 60))]
)
RATES = (8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
# Container, codec, its rates, and by how many samples the decoded end may be off.
KINDS = [
    ("wav", "pcm_s16le", RATES, 0),
    ("flac", "flac", RATES, 0),
    # LAME cannot state a negative padding: some lengths come out up to 46 samples longer.
    ("mp3", "libmp3lame", RATES, 48),
    ("ipod", "aac", RATES, 0),
    ("matroska", "aac", RATES, 1024),
    ("ogg", "libopus", (8_000, 16_000, 24_000, 48_000), 0),
    ("webm", "libopus", (8_000, 16_000, 24_000, 48_000), 0),
    ("ogg", "vorbis", (44_100, 48_000), 1024),
]


def film(sound: Sound, fps: Fraction) -> bytes:
    """A video of tiny frames, as many as the sound takes."""
    frames = frame_count(sound.duration_s, fps)
    writer = Mp4Writer(16, 16, fps, sound, CONFIG)
    grey = np.full((8, 16, 16, 3), 90, np.uint8)
    parts = [writer.write(grey[: frames - at]) for at in range(0, frames, 8)]
    return b"".join([*parts, writer.finish()])


def sound_of_film(data: bytes) -> tuple[NDArray[np.float32], int]:
    """What a player plays: mono, from media time 0 on."""
    with av.open(io.BytesIO(data), "r") as file:
        frames = list(file.decode(audio=0))
    samples = np.concatenate([frame.to_ndarray().mean(axis=0) for frame in frames])
    first = frames[0]
    assert first.pts is not None
    assert first.time_base is not None
    rate = first.sample_rate
    lead = round(first.pts * first.time_base * rate)
    assert lead >= 0
    return np.pad(samples, (lead, 0)), rate


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(KINDS), FPS, st.floats(0.02, 1.6), st.integers(1, 2), st.data())
def test_a_recording_becomes_a_video_that_ends_and_sounds_with_it(
    kind: tuple[str, str, tuple[int, ...], int],
    fps: Fraction,
    duration_s: float,
    channels: int,
    data: st.DataObject,
) -> None:
    container, codec, rates, slack = kind
    rate = data.draw(st.sampled_from(rates))
    count = int(duration_s * rate) + 1 + slack
    samples = speechlike(count, channels)
    if codec == "vorbis":
        upload = recording(samples.T, rate, "OGG", "VORBIS")
    else:
        upload = encoded(samples, rate, container, codec)
    sound = decode_speech(upload, CONFIG).sound
    # A container that counts in milliseconds is a millisecond off.
    assert abs(sound.duration_s - Fraction(count, rate)) <= Fraction(slack, rate) + Fraction(
        1, 1000
    )
    made = film(sound, fps)
    facts = probe_video(made)
    assert facts.frames == frame_count(sound.duration_s, fps)
    assert facts.sound is not None
    assert abs(facts.picture.end_s - facts.sound.end_s) <= 1 / fps
    assert abs(facts.picture.end_s - sound.duration_s) <= 1 / fps
    if duration_s > 0.25:
        played, played_hz = sound_of_film(made)
        time = np.arange(len(played)) / played_hz
        expected = np.interp(time, np.arange(count) / rate, samples.mean(axis=0))
        assert abs(lag_s(expected, played, played_hz)) < 0.005


@given(FPS, st.sampled_from([44_100, 48_000]), st.integers(960, 600 * 48_000))
def test_ends_meet_at_any_length(fps: Fraction, rate: int, count: int) -> None:
    duration_s = Fraction(count, rate)
    frames = frame_count(duration_s, fps)
    assert frames == max(1, round(duration_s * fps + Fraction(1, 10**9)))
    sound_end_s = Fraction(round(frames * rate / fps), rate)  # as the writer cuts it
    assert abs(sound_end_s - frames / fps) <= Fraction(1, 2 * rate)


def test_ten_minutes_end_together() -> None:
    fps = Fraction(1200, 1001)  # the drift of 23.976, in a twentieth of the frames
    clicks = np.zeros((1, 600 * 44_100), np.int16)
    clicks[0, [100, 599 * 44_100]] = 30_000
    made = film(sound_from(clicks, 44_100), fps)
    facts = probe_video(made)
    assert facts.frames == frame_count(Fraction(600), fps)
    assert facts.sound is not None
    assert abs(facts.picture.end_s - facts.sound.end_s) <= 1 / fps
    played, rate = sound_of_film(made)
    assert abs(int(np.abs(played[rate:]).argmax()) / rate - 598) < 0.005
