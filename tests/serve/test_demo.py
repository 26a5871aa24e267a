"""The README's main job: the demo, by its command."""

from pathlib import Path

import pytest

from app.cli import main
from app.media.probe import probe_video


def test_the_demo_leaves_a_video_and_says_where(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "talk.mp4"
    assert main(["demo", "--config", str(root / "serve_config.yaml"), "--out", str(out)]) == 0
    assert probe_video(out.read_bytes()).frames == 250
    printed = "".join(capsys.readouterr().out.split())
    assert str(out) in printed
    assert "portrait=puppet" in printed
