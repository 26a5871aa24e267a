"""The `digital-human` command."""

from pathlib import Path

import pytest

from app.cli import main
from app.demo.run import demo_speech
from app.media.audio import decode_speech
from app.media.config import MediaConfig


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    assert "demo" in capsys.readouterr().out


def test_a_missing_file_is_one_line_and_a_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = str(tmp_path / "none.jpg")
    assert main(["talk", missing, missing]) == 1
    assert capsys.readouterr().err.startswith("digital-human: ")


def test_a_missing_configuration_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--config", str(tmp_path / "none.yaml")]) == 1
    assert "checkout" in capsys.readouterr().err


def test_the_demos_speech_is_ten_seconds() -> None:
    assert decode_speech(demo_speech(), MediaConfig()).sound.duration_s == 10
