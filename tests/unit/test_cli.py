"""The `digital-human` command."""

from pathlib import Path

import httpx
import pytest

from app.cli import main
from app.client.talk import Talk
from app.demo.run import demo_speech
from app.media.audio import decode_speech
from app.media.config import MediaConfig
from app.report import report_box
from tests.unit.media.recordings import noise, recording


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    said = capsys.readouterr().out
    for command in ("demo", "talk", "frames", "animate", "lipsync", "motions"):
        assert command in said


def test_files_fields_and_the_end_of_the_answer_are_what_the_command_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sent: list[tuple[object, ...]] = []

    def post(*args: object) -> Talk:
        sent.append(args)
        video = b"video" + report_box({"frames": 9, "frames_without_face": 2})
        return Talk(video, httpx.Headers({"x-digital-human-frames": "9"}), 0, 0.0, 1.0)

    monkeypatch.setattr("app.cli.post", post)
    for name in ("me.jpg", "drive.mp4", "me.wav"):
        (tmp_path / name).write_bytes(name.encode())
    photo, driving, speech, out = (
        str(tmp_path / name) for name in ("me.jpg", "drive.mp4", "me.wav", "out.mp4")
    )
    assert main(["animate", photo, driving, "--retarget-eyes", "true", "--out", out]) == 0
    assert main(["talk", photo, speech, "--driving", driving, "--out", out]) == 0
    server = "http://127.0.0.1:8000"
    files = {"portrait": b"me.jpg", "driving": b"drive.mp4"}
    talk_files = {"portrait": b"me.jpg", "audio": b"me.wav", "driving": b"drive.mp4"}
    assert sent == [
        (server, "/v1/animate", files, {"retarget_eyes": "true"}, ""),
        (server, "/v1/talk", talk_files, {"motion": "file"}, ""),
    ]
    assert "9 frames (2 without a face)" in capsys.readouterr().out


def test_a_missing_file_is_one_line_and_a_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = str(tmp_path / "none.jpg")
    assert main(["talk", missing, missing]) == 1
    assert capsys.readouterr().err.startswith("digital-human: ")


def test_a_live_talk_says_how_many_frames_were_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sent: list[tuple[object, ...]] = []

    def post(*args: object) -> Talk:
        sent.append(args)
        video = report_box({"frames": 9, "late_frames": 4})
        return Talk(video, httpx.Headers({"x-digital-human-frames": "9"}), 0, 0.0, 1.0)

    monkeypatch.setattr("app.cli.post", post)
    file = tmp_path / "file"
    file.write_bytes(b"x")
    command = ["talk", str(file), str(file), "--pace", "live", "--out", str(tmp_path / "out.mp4")]
    assert main(command) == 0
    assert sent[0][3] == {"pace": "live"}
    assert "9 frames, 4 late, 1.0 s" in capsys.readouterr().out


def test_a_recording_that_is_no_bare_wav_is_one_line_and_a_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    speech = tmp_path / "me.wav"
    for content in (b"no sound", recording(noise(4800, 2), 48_000)):
        speech.write_bytes(content)
        assert main(["frames", str(speech), str(speech), "--out", str(tmp_path / "out")]) == 1
        assert capsys.readouterr().err.startswith("digital-human: ")
    assert not (tmp_path / "out").exists()


def test_a_missing_configuration_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--config", str(tmp_path / "none.yaml")]) == 1
    assert "checkout" in capsys.readouterr().err


def test_the_demos_speech_is_ten_seconds() -> None:
    assert decode_speech(demo_speech(), MediaConfig()).sound.duration_s == 10
