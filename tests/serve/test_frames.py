"""Chunks of frames, and videos at live pace, against the real application."""

import io
import re
import wave
from fractions import Fraction
from pathlib import Path

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.cli import main
from app.client.frames import AFTER, BEFORE, FrameStream
from app.client.server import LocalServer
from app.client.talk import talk
from app.jobs import FramesJob, TalkJob
from app.media.audio import decode_speech
from app.media.config import MediaConfig
from app.media.probe import probe_video
from app.report import read_report
from app.serving.stage import Stage
from tests.serve.conftest import spoken, wav

RATE_HZ = 16_000
FPS = Fraction(25)
SPEECH_S = 2
CHUNK = 7


def speech() -> NDArray[np.int16]:
    """Return two seconds of speech at 16 kHz, from its second one on."""
    with wave.open(io.BytesIO(spoken(SPEECH_S + 1))) as recording:
        assert recording.getframerate() == RATE_HZ
        recording.setpos(RATE_HZ)
        return np.frombuffer(recording.readframes(SPEECH_S * RATE_HZ), np.int16)


def picture(jpeg: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(jpeg)))


async def rendered(stage: Stage, job: TalkJob) -> NDArray[np.uint8]:
    take = await stage.prepare(job)
    return np.concatenate([group.pixels async for group in stage.frames(take)])


async def test_chunks_with_context_are_the_frames_of_one_talk(
    stage: Stage, portrait: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.serving.stage.encode_jpegs", lambda pixels, *_: list(pixels))
    samples = speech()
    audio = wav(samples)
    whole = await rendered(stage, TalkJob(portrait, audio, FPS, 256, "idle", None, 3))
    gain_db = decode_speech(audio, MediaConfig()).gain_db
    known: bytes | str = portrait
    largest_without = 0
    for start in range(0, len(whole), CHUNK):
        count = min(CHUNK, len(whole) - start)
        for before, after in ((min(BEFORE, start * 640), AFTER), (0, 0)):
            heard = samples[start * 640 - before : (start + count) * 640 + after].tobytes()
            job = FramesJob(
                *(known, heard, True, FPS, 256, None, "idle", 3),
                *(start, count, before / 16, gain_db, 90),
            )
            chunk, frames = await stage.pictures(job)
            known = chunk.seated.key
            pieces = np.stack([np.asarray(frame) for frame in frames]).astype(int)
            difference = int(np.abs(pieces - whole[start : start + count]).max())
            if after:
                assert difference <= 1
            else:
                largest_without = max(difference, largest_without)
    assert largest_without > 20  # or the mouths would be the same anyway


async def test_a_photo_is_sent_once(http: httpx.AsyncClient, portrait: bytes) -> None:
    audio = ("a", speech()[: RATE_HZ // 5].tobytes(), "audio/l16;rate=16000")
    sent = {"portrait": ("a", portrait, "image/png"), "audio": audio}
    first = await http.post("/v1/frames", files=sent, data={"size": "288", "motion": "none"})
    assert first.status_code == 200, first.text
    assert first.headers["content-type"].startswith("multipart/mixed")
    assert first.headers["x-digital-human-frames"] == "5"
    assert first.headers["x-digital-human-models"] == "face=mediapipe, portrait=puppet, lips=viseme"
    assert "face;dur=" in first.headers["server-timing"]
    portrait_id = first.headers["x-digital-human-portrait"]

    fields = {"portrait_id": portrait_id, "motion": "none"}
    lengths = {"accept": "application/octet-stream"}
    again = await http.post("/v1/frames", files={"audio": audio}, data=fields, headers=lengths)
    assert again.headers["x-digital-human-portrait"] == portrait_id
    assert not {"face", "layout"} & set(re.findall(r"(\w+);dur", again.headers["server-timing"]))
    size = int.from_bytes(again.content[:4])
    jpeg = again.content[4 : 4 + size]
    assert picture(jpeg).shape == (288, 288, 3)
    assert jpeg in first.content

    larger = await http.post("/v1/frames", files=sent, data={"size": "300"})
    assert larger.headers["x-digital-human-portrait"] != portrait_id


async def test_refusals_of_chunks(http: httpx.AsyncClient, portrait: bytes) -> None:
    async def code(seconds: float, **fields: str) -> str:
        files = {"portrait": portrait, "audio": spoken(seconds)}
        if "portrait_id" in fields:
            del files["portrait"]
        answer = await http.post("/v1/frames", files=files, data=fields)
        assert answer.json()["hint"]
        return f"{answer.status_code} {answer.json()['code']}"

    assert await code(0.2, portrait_id="0" * 64) == "404 unknown_portrait"
    assert await code(2) == "413 audio_too_long"
    assert await code(1.2) == "413 audio_too_long"
    assert await code(1, frames="26") == "413 audio_too_long"
    assert await code(0.1, start="50", before_ms="100") == "422 audio_too_short"
    assert await code(0.2, before_ms="40") == "400 bad_request"


async def test_a_pause_is_no_fault(http: httpx.AsyncClient, portrait: bytes) -> None:
    files = {"portrait": portrait, "audio": wav(np.zeros(1600, np.int16))}
    answer = await http.post("/v1/frames", files=files, data={"size": "256"})
    assert answer.status_code == 200
    assert answer.headers["x-digital-human-frames"] == "3"


def test_a_stream_of_speech_gives_all_frames_at_once_or_bit_by_bit(
    server: LocalServer, portrait: bytes
) -> None:
    said = speech()[: RATE_HZ + 900].tobytes()
    options = {"size": "256", "gain_db": "0"}
    with FrameStream(server.url, portrait, FPS, CHUNK, options) as stream:
        at_once = [*stream.push(said), *stream.finish()]
    assert len(at_once) == 26
    bit_by_bit = []
    with FrameStream(server.url, portrait, FPS, CHUNK, options) as stream:
        stream._portrait_id = "0" * 64  # of a server that is gone
        for at in range(0, len(said), 6000):
            bit_by_bit += list(stream.push(said[at : at + 6000]))
        assert 14 <= len(bit_by_bit) < 26
        bit_by_bit += list(stream.finish())
    assert bit_by_bit == at_once


def test_the_readmes_example_runs(
    server: LocalServer,
    portrait: bytes,
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = (root / "README.md").read_text()
    block = re.search(r"<!-- frames -->\n```python\n(.*?)```", text, re.S)
    assert block
    monkeypatch.chdir(tmp_path)
    Path("me.jpg").write_bytes(portrait)
    Path("me.wav").write_bytes(wav(speech()[:RATE_HZ]))
    exec(block[1].replace("http://127.0.0.1:8000", server.url), {})
    made = sorted(Path().glob("frame-*.jpg"))
    assert len(made) == 25
    assert picture(made[-1].read_bytes()).shape == (512, 512, 3)


def test_the_command_writes_frames(
    server: LocalServer, portrait: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo, audio, out = tmp_path / "me.png", tmp_path / "me.wav", tmp_path / "frames"
    photo.write_bytes(portrait)
    audio.write_bytes(wav(speech()[: RATE_HZ // 2]))
    command = ["frames", str(photo), str(audio), "--out", str(out), "--url", server.url]
    assert main([*command, "--size", "256", "--fps", "30"]) == 0
    assert len(list(out.glob("*.jpg"))) == 15
    assert "15 frames" in capsys.readouterr().out


def test_a_live_video_is_whole_and_says_how_many_frames_were_late(
    server: LocalServer, portrait: bytes
) -> None:
    audio = spoken(3)
    free = talk(server.url, portrait, audio, {"size": "256", "fps": "10"})
    live = talk(server.url, portrait, audio, {"size": "256", "fps": "10", "pace": "live"})
    assert read_report(free.video) is None
    report = read_report(live.video)
    assert report is not None
    assert report["frames"] == 30
    assert 0 <= report["late_frames"] < 30
    # At most the lead ahead of the viewer: 28 frames of 0.1 s, less 0.5 s.
    assert live.total_s > 2.2
    videos = [probe_video(made.video) for made in (free, live)]
    assert {video.frames for video in videos} == {30}
    for video in videos:
        assert video.sound
        assert video.picture.errors == video.sound.errors == 0
        assert abs(video.picture.end_s - video.sound.end_s) <= Fraction(1, 10)
