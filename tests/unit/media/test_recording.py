"""Files of every container: what is heard of them, and what damage does."""

import contextlib
import io
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import AppError, AudioTooLong, UnsupportedMedia
from app.media.audio import decode_speech
from app.media.config import MediaConfig
from app.media.mp4 import Mp4Writer
from app.media.recording import MAX_CHANNELS, Abandoned, _Track, read_blocks
from app.media.samples import decode_mono
from tests.unit.media.recordings import encoded, lag_s, noise, recording, sound_from, speechlike

CONFIG = MediaConfig()
LOSSLESS = [
    ("wav", "pcm_s16le"), ("wav", "pcm_f32le"), ("w64", "pcm_s16le"), ("aiff", "pcm_s16be"),
    ("au", "pcm_s16be"), ("caf", "pcm_s16be"), ("flac", "flac"), ("ogg", "flac"),
    ("ipod", "alac"), ("mov", "pcm_s16le"), ("matroska", "pcm_s16le"),
]  # fmt: skip
DELAY_STATED = [
    ("mp3", "libmp3lame"), ("ipod", "aac"), ("mp4", "aac"), ("mov", "aac"), ("ogg", "libopus"),
    ("webm", "libopus"), ("matroska", "libopus"), ("matroska", "aac"), ("mp4", "libopus"),
    ("mp4", "libmp3lame"),
]  # fmt: skip
DELAY_UNSTATED = [("adts", "aac"), ("mpegts", "aac"), ("flv", "aac"), ("avi", "libmp3lame")]


@pytest.mark.parametrize(("container", "codec"), LOSSLESS)
def test_lossless_recording_is_heard_as_it_is(container: str, codec: str) -> None:
    samples = (np.round(speechlike(30_001) * 32768) / 32768).astype(np.float32)
    mono, rate = decode_mono(encoded(samples, 48_000, container, codec))
    assert rate == 48_000
    assert np.abs(mono[:30_001] - samples[0]).max() < 2e-4
    assert len(mono) - 30_001 in range(8)  # W64 pads to eight bytes


@pytest.mark.parametrize("rate", [44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(("container", "codec"), DELAY_STATED)
def test_delay_of_the_encoder_is_skipped(
    container: str, codec: str, rate: int, channels: int
) -> None:
    if codec == "libopus" and rate != 48_000:
        pytest.skip("Opus has no 44.1 kHz")
    samples = speechlike(rate + 321, channels)
    mono, decoded_hz = decode_mono(encoded(samples, rate, container, codec))
    assert decoded_hz == rate
    assert abs(lag_s(samples.mean(axis=0), mono, rate)) < 0.001
    # Where the file does not say how much of its last packet counts, all of it does.
    assert 0 <= len(mono) - samples.shape[1] < 1152


@pytest.mark.parametrize(("container", "codec"), DELAY_UNSTATED)
def test_delay_that_no_file_states_stays_below_two_packets(container: str, codec: str) -> None:
    samples = speechlike(48_000)
    mono, _ = decode_mono(encoded(samples, 48_000, container, codec))
    assert 0 <= lag_s(samples[0], mono, 48_000) < 2 * 1152 / 48_000


def test_vorbis_is_heard_in_time() -> None:
    samples = speechlike(44_100, 2)
    mono, _ = decode_mono(recording(samples.T, 44_100, "OGG", "VORBIS"))
    assert len(mono) == 44_100
    assert abs(lag_s(samples.mean(axis=0), mono, 44_100)) < 0.001


@pytest.mark.parametrize("kind", ["AIFF", "AU", "CAF", "W64", "RF64", "MP3", "OGG"])
def test_files_of_another_writer_are_read(kind: str) -> None:
    samples = speechlike(32_000)
    mono, _ = decode_mono(recording(samples.T, 32_000, kind))
    assert abs(lag_s(samples[0], mono, 32_000)) < 0.001
    assert abs(len(mono) - 32_000) < 1152


def test_six_channels_are_mixed_by_mean() -> None:
    samples = speechlike(48_000, 6)
    mono, _ = decode_mono(encoded(samples, 48_000, "matroska", "flac"))
    assert np.abs(mono - samples.mean(axis=0)).max() < 1e-3


@pytest.mark.parametrize("channels", [MAX_CHANNELS + 1, 200])
@pytest.mark.parametrize(("kind", "subtype"), [("OGG", "VORBIS"), ("OGG", "OPUS"), ("WAV", None)])
def test_more_channels_than_a_frame_has_room_for_are_refused(
    kind: str, subtype: str | None, channels: int
) -> None:
    data = recording(noise(4800, channels), 48_000, kind, subtype)
    with pytest.raises(UnsupportedMedia, match=f"{channels} channels"):
        decode_mono(data)


@pytest.mark.parametrize(("kind", "subtype"), [("OGG", "VORBIS"), ("OGG", "OPUS"), ("FLAC", None)])
def test_eight_channels_are_read(kind: str, subtype: str | None) -> None:
    samples = speechlike(48_000, 8)
    (block,) = read_blocks(recording(samples.T, 48_000, kind, subtype), 1)
    assert block.samples.shape == (8, 48_000)
    assert len(np.unique(block.samples.round(3), axis=0)) == 8  # their order is the codec's
    assert abs(lag_s(samples.mean(axis=0), block.samples.mean(axis=0), 48_000)) < 0.001


def test_a_frame_with_more_channels_than_its_file_told_is_refused() -> None:
    with av.open(io.BytesIO(recording(noise(4800, 2), 48_000)), "r") as file:
        track = _Track(file, lambda: False)
        frame = av.AudioFrame(format="fltp", layout="hexadecagonal", samples=64)
        frame.sample_rate = 48_000
        with pytest.raises(UnsupportedMedia, match="16 channels"):
            track._checked(frame)


def test_rates_above_192_khz_are_refused() -> None:
    data = recording(noise(4000), 192_001)
    with pytest.raises(UnsupportedMedia, match="192001 samples a second"):
        decode_mono(data)


def test_samples_of_all_channels_together_are_bounded() -> None:
    fits = recording(noise(48_000, 8), 48_000, "FLAC")
    assert sum(block.samples.shape[1] for block in read_blocks(fits, 1)) == 48_000
    for rate, channels in ((96_000, 8), (192_000, 3)):
        with pytest.raises(AudioTooLong, match=f"{channels} channels"):
            list(read_blocks(recording(noise(rate, channels), rate, "FLAC"), 1))


@pytest.mark.parametrize("asked", [0, 1, 30])
def test_a_recording_that_nobody_waits_for_is_left_at_the_next_packet(asked: int) -> None:
    answers = [False] * asked + [True]
    data = encoded(speechlike(48_000 * 4), 48_000, "ipod", "aac")
    with pytest.raises(Abandoned):
        decode_speech(data, CONFIG, lambda: answers.pop(0))
    assert answers == []


def film() -> bytes:
    """An MP4 with a picture track before its sound track."""
    sound = sound_from((speechlike(48_000) * 32767).astype(np.int16), 48_000)
    writer = Mp4Writer(64, 64, Fraction(25), sound, CONFIG)
    noise = np.random.default_rng(0).integers(0, 255, (25, 64, 64, 3), np.uint8)
    return writer.write(noise) + writer.finish()


def test_sound_of_a_film_is_taken() -> None:
    mono, _ = decode_mono(film())
    assert len(mono) == 48_000
    assert abs(lag_s(speechlike(48_000)[0], mono, 48_000)) < 0.001


def test_film_without_sound_is_refused() -> None:
    writer = Mp4Writer(64, 64, Fraction(25), None, CONFIG)
    silent = writer.write(np.zeros((3, 64, 64, 3), np.uint8)) + writer.finish()
    with pytest.raises(UnsupportedMedia, match="no sound track"):
        decode_mono(silent)


def packets_of(data: bytes, container: str) -> list[tuple[int, int]]:
    """Where each packet lies in the file: (start, end)."""
    with av.open(io.BytesIO(data), "r") as file:
        return [
            (packet.pos, packet.pos + packet.size)
            for packet in file.demux(audio=0)
            if packet.pos is not None and packet.size
        ]


@pytest.mark.parametrize("bad", [2, 4])
def test_few_bad_packets_become_silence_of_their_length(bad: int) -> None:
    samples = speechlike(48_000 * 4)
    whole = encoded(samples, 48_000, "ipod", "aac")
    data = bytearray(whole)
    for start, end in packets_of(whole, "ipod")[60 : 60 + bad]:
        data[start:end] = b"\xff" * (end - start)
    mono, _ = decode_mono(bytes(data))
    assert len(mono) == samples.shape[1]
    late = slice(48_000 * 2, None)
    assert abs(lag_s(samples[0, late], mono[late], 48_000)) < 0.001


def test_many_bad_packets_are_refused() -> None:
    whole = encoded(speechlike(48_000 * 4), 48_000, "ipod", "aac")
    data = bytearray(whole)
    for start, end in packets_of(whole, "ipod")[60:100]:
        data[start:end] = b"\xff" * (end - start)
    with pytest.raises(UnsupportedMedia, match="damaged"):
        decode_mono(bytes(data))


@pytest.mark.parametrize("part", [0.02, 0.3, 0.9])
@pytest.mark.parametrize(
    ("container", "codec"),
    [
        ("wav", "pcm_s16le"), ("aiff", "pcm_s16be"), ("caf", "pcm_s16be"), ("flac", "flac"),
        ("mp3", "libmp3lame"), ("ipod", "aac"), ("mp4", "aac"), ("ogg", "libopus"),
        ("webm", "libopus"), ("matroska", "aac"),
    ],
)  # fmt: skip
def test_cut_recording_is_refused(container: str, codec: str, part: float) -> None:
    whole = encoded(speechlike(48_000 * 3), 48_000, container, codec)
    decode_mono(whole)
    with pytest.raises(UnsupportedMedia):
        decode_mono(whole[: int(part * len(whole))])


def test_cut_mp4_whose_index_comes_first_is_refused() -> None:
    whole = film()
    with pytest.raises(UnsupportedMedia):
        decode_mono(whole[: int(0.6 * len(whole))])


def test_endless_sound_stops_at_the_limit() -> None:
    data = encoded(np.zeros((1, 48_000 * 120), np.float32), 48_000, "ogg", "libopus")
    blocks = read_blocks(data, 2)
    assert sum(next(blocks).samples.shape[1] for _ in range(1)) <= 1.1 * 48_000
    with pytest.raises(AudioTooLong):
        list(blocks)


@pytest.mark.parametrize(
    "data",
    [
        b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile '/etc/passwd'\n",
        b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nm=audio 9 RTP/AVP 0\r\n",
        b"<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011'></MPD>",
        b"1\n00:00:00,000 --> 00:00:01,000\nwords\n",
        b"\x89PNG\r\n\x1a\n" + bytes(200),
        b"[Script Info]\nScriptType: v4.00+\n",
    ],
    ids=["hls", "concat", "sdp", "dash", "srt", "png", "ass"],
)
def test_files_that_name_other_files_are_no_recordings(data: bytes) -> None:
    with pytest.raises(UnsupportedMedia, match="known format"):
        decode_mono(data)


MAGICS = [
    b"OggS\0\2" + bytes(20) + b"\1\x13OpusHead", b"\x1aE\xdf\xa3", b"\xff\xf1\x50\x80",
    b"ID3\4\0\0\0\0\0\0\xff\xfb\x90\0", b"\0\0\0\x18ftypM4A \0\0\0\0", b"FORM\0\0\1\0AIFF",
    b"caff\0\1\0\0", b"#!AMR\n", b"RIFF\0\1\0\0AVI ", b".snd", b"FLV\1\4\0\0\0\x09", b"wvpk",
]  # fmt: skip


@settings(deadline=None)
@given(st.sampled_from(MAGICS), st.binary(max_size=400))
def test_any_bytes_are_decoded_or_refused(magic: bytes, rest: bytes) -> None:
    with contextlib.suppress(AppError):
        decode_speech(magic + rest, CONFIG)


DAMAGE = st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=30))
SMALL = [encoded(speechlike(9600), 48_000, *kind) for kind in DELAY_STATED[:6]]


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(SMALL), st.lists(DAMAGE, max_size=4))
def test_damaged_recordings_are_decoded_or_refused(
    whole: bytes, damage: list[tuple[float, bytes]]
) -> None:
    data = bytearray(whole)
    for where, what in damage:
        at = int(where * (len(data) - len(what)))
        data[at : at + len(what)] = what
    try:
        speech = decode_speech(bytes(data), CONFIG)
    except AppError:
        return
    assert np.isfinite(speech.levels).all()
