import contextlib
import struct
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import (
    AppError,
    AudioSilent,
    AudioTooLong,
    AudioTooShort,
    BadRequest,
    UnsupportedMedia,
)
from app.media.audio import decode_speech
from app.media.config import MediaConfig
from app.media.resample import resampled_length
from app.media.sound import sound_blocks
from tests.unit.media.recordings import heard, noise, played, recording

CONFIG = MediaConfig()


def with_data_size(wav: bytes, size: int) -> bytes:
    at = wav.index(b"data")
    return wav[: at + 4] + struct.pack("<I", size) + wav[at + 8 :]


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from([4000, 8000, 11025, 16000, 22050, 32000, 44100, 48000, 96000]),
    st.integers(1, 3),
    st.sampled_from(["WAV", "FLAC"]),
    st.data(),
)
def test_lengths_are_exact_at_any_rate(
    rate: int, channels: int, kind: str, data: st.DataObject
) -> None:
    count = data.draw(st.integers(rate // 50 + 1, rate * 2))
    file = recording(noise(count, channels), rate, kind)
    samples = heard(file)
    assert samples.dtype == np.float32
    assert samples.shape == (resampled_length(count, rate, 16_000),)
    assert np.abs(samples).max() <= 1
    speech = decode_speech(file, CONFIG)
    assert speech.levels.shape == (80, 1 + len(samples) // 200)
    sound = speech.sound
    assert sound.rate_hz == (rate if rate in (44_100, 48_000) else 48_000)
    assert sound.num_samples == resampled_length(count, rate, sound.rate_hz)
    assert sound.channels == (channels if channels <= 2 else 1)
    blocks = list(sound_blocks(sound))
    assert {len(block) for block in blocks} == {sound.channels}
    assert sum(block.shape[1] for block in blocks) == sound.num_samples


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000, 96000])
@pytest.mark.parametrize("at_s", [0.1, 1.5, 2.37])
def test_click_stays_at_its_time(rate: int, at_s: float) -> None:
    samples = np.zeros((int(2.4 * rate), 1), np.float32)
    samples[int(at_s * rate)] = 0.9
    data = recording(samples, rate)
    sound = decode_speech(data, CONFIG).sound
    at = int(at_s * rate) / rate
    assert abs(int(np.abs(heard(data)).argmax()) - at * 16_000) <= 1
    assert abs(int(np.abs(played(sound)[0].astype(float)).argmax()) - at * sound.rate_hz) <= 1


@pytest.mark.parametrize("rate", [8000, 44100, 48000])
def test_level_and_direct_current_are_kept(rate: int) -> None:
    time = np.arange(rate) / rate
    wave = 0.25 + 0.5 * np.sin(2 * np.pi * 300 * time)
    samples = heard(recording(wave[:, None].astype(np.float32), rate))
    expected = 0.25 + 0.5 * np.sin(2 * np.pi * 300 * np.arange(16_000) / 16_000)
    assert np.abs(samples - expected)[200:-200].max() < 2e-3


def test_tone_above_the_models_band_does_not_alias() -> None:
    time = np.arange(48_000) / 48_000
    tone = 0.5 * np.sin(2 * np.pi * 9_000 * time)
    samples = heard(recording(tone[:, None].astype(np.float32), 48_000))
    assert np.abs(samples[500:-500]).max() < 1e-3


@pytest.mark.parametrize("kind", ["WAV", "FLAC"])
def test_sixteen_bit_sound_at_48_khz_passes_unchanged(kind: str) -> None:
    samples = (noise(48_000, 2) * 32767).astype(np.int16)
    speech = decode_speech(recording(samples, 48_000, kind), CONFIG)
    assert (played(speech.sound) == samples.T).all()


def test_channels_are_mixed_by_mean() -> None:
    samples = np.stack([noise(16_000)[:, 0], np.zeros(16_000), np.zeros(16_000)], axis=1)
    mono = heard(recording(samples, 16_000, subtype="FLOAT"))
    assert np.allclose(mono, samples[:, 0] / 3, atol=1e-6)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_sample_formats_have_one_scale(subtype: str) -> None:
    samples = np.full((16_000, 1), 0.5)
    assert np.allclose(heard(recording(samples, 16_000, subtype=subtype)), 0.5, atol=0.005)


def test_samples_beyond_full_scale_are_clipped() -> None:
    samples = np.full((48_000, 1), -3.0)
    data = recording(samples, 48_000, subtype="FLOAT")
    assert heard(data).min() == -1
    assert played(decode_speech(data, CONFIG).sound).min() == -32768


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_no_numbers_are_refused(value: float) -> None:
    samples = noise(16_000)
    samples[700] = value
    with pytest.raises(UnsupportedMedia, match="not numbers"):
        decode_speech(recording(samples, 16_000, subtype="FLOAT"), CONFIG)


@pytest.mark.parametrize("size", [0, 0x7FFF_F000, 0xFFFF_FFFF])
def test_wav_of_unstated_length_ends_with_its_bytes(size: int) -> None:
    wav = with_data_size(recording(noise(16_000), 16_000), size)
    assert len(heard(wav)) == 16_000


def test_wav_with_tags_in_an_old_encoding_is_read() -> None:
    wav = recording(noise(16_000), 16_000)
    name = b"Caf\xe9\0"
    info = b"INFOINAM" + struct.pack("<I", len(name)) + name + b"\0" * (len(name) % 2)
    at = wav.index(b"data")
    tagged = wav[:at] + b"LIST" + struct.pack("<I", len(info)) + info + wav[at:]
    assert len(heard(tagged)) == 16_000


@pytest.mark.parametrize("kind", ["WAV", "RF64", "FLAC"])
@pytest.mark.parametrize("part", [0.01, 0.5, 0.95])
def test_cut_recording_is_refused(kind: str, part: float) -> None:
    whole = recording(noise(32_000), 16_000, kind)
    assert len(heard(whole)) == 32_000
    with pytest.raises(UnsupportedMedia, match="ends early"):
        decode_speech(whole[: int(part * len(whole))], CONFIG)


def test_damaged_flac_is_refused() -> None:
    data = bytearray(recording(noise(64_000), 16_000, "FLAC"))
    data[len(data) // 2 :][:3000] = bytes(3000)
    data[len(data) // 2 : len(data) // 2 + 3000] = bytes(3000)
    with pytest.raises(UnsupportedMedia, match="damaged"):
        decode_speech(bytes(data), CONFIG)


@pytest.mark.parametrize("data", [b"text", b"RIFF\0\0\0\0WAVE", b"fLaC" + bytes(50), b"OggS" * 20])
def test_what_is_no_recording_is_refused(data: bytes) -> None:
    with pytest.raises(UnsupportedMedia) as refusal:
        decode_speech(data, CONFIG)
    assert refusal.value.hint


@given(st.sampled_from([b"RIFF\0\0\0\0WAVEfmt ", b"fLaC\0\0\0\x22"]), st.binary(max_size=300))
def test_any_bytes_are_decoded_or_refused(magic: bytes, rest: bytes) -> None:
    with contextlib.suppress(AppError):
        decode_speech(magic + rest, CONFIG)


def test_empty_audio_is_a_bad_request() -> None:
    with pytest.raises(BadRequest):
        decode_speech(b"", CONFIG)


@pytest.mark.parametrize("count", [0, 1, 319])
def test_audio_under_20_ms_is_too_short(count: int) -> None:
    with pytest.raises(AudioTooShort):
        decode_speech(recording(noise(count), 16_000), CONFIG)


def test_20_ms_are_enough() -> None:
    assert decode_speech(recording(noise(320), 16_000), CONFIG).sound.duration_s == Fraction(
        20, 1000
    )


def test_limit_of_seconds_is_inclusive() -> None:
    config = MediaConfig(max_audio_s=2)
    assert decode_speech(recording(noise(32_000), 16_000), config).sound.duration_s == 2
    with pytest.raises(AudioTooLong):
        decode_speech(recording(noise(32_001), 16_000), config)


def test_long_silence_is_refused_before_it_is_all_decoded() -> None:
    bomb = recording(np.zeros((16_000 * 900, 1), np.int16), 16_000, "FLAC")
    with pytest.raises(AudioTooLong):
        decode_speech(bomb, MediaConfig(max_audio_s=1))


@pytest.mark.parametrize("level", [0.0, 10 ** (-75 / 20)])
def test_silent_audio_is_refused(level: float) -> None:
    samples = np.full((16_000, 1), level, np.float32)
    with pytest.raises(AudioSilent):
        decode_speech(recording(samples, 16_000, subtype="FLOAT"), CONFIG)


def test_faint_audio_is_heard() -> None:
    samples = np.full((16_000, 1), 10 ** (-65 / 20), np.float32)
    assert decode_speech(recording(samples, 16_000, subtype="FLOAT"), CONFIG).gain_db == 0
