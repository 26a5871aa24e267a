"""What counts as a clean end of a session, and as a wrong frame. Kills nothing."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import yaml
from rich.console import Console

from app.bench.failures import MIN_PSNR_DB, Failure, Session, Wanted, _judged, doubled
from app.bench.failures_command import _table
from app.bench.video_parts import whole_fragments, worst_psnr_db
from app.media.config import MediaConfig
from app.media.mp4 import Mp4Writer

GROUP, GROUPS = 4, 3


def video(change: int = 0, seed: int = 0) -> bytes:
    """Return a small video; with a change the last frame is that much brighter."""
    ramp = np.linspace(20, 200, 64, dtype=np.float32)
    wave = np.roll(ramp[None, :] + ramp[:, None] / 4, 7 * seed, axis=1).astype(np.uint8)
    frames = np.repeat(wave[None, :, :, None], GROUP * GROUPS, axis=0)
    frames = np.repeat(frames, 3, axis=3).copy()
    frames[-1] += np.uint8(change)
    writer = Mp4Writer(64, 64, Fraction(25), None, MediaConfig(), num_frames=len(frames))
    pieces = [writer.write(group) for group in np.split(frames, GROUPS)]
    return b"".join([*pieces, writer.finish()])


GOOD = video()
WANTED = Wanted(b"", b"", GOOD)


def test_a_video_is_cut_back_to_its_last_whole_fragment() -> None:
    whole, frames = whole_fragments(GOOD)
    assert frames == GROUP * GROUPS
    shorter, fewer = whole_fragments(GOOD[: len(whole) - 1])
    assert 0 < fewer < frames
    assert whole.startswith(shorter)
    assert whole_fragments(GOOD[:100]) == (b"", 0)
    assert whole_fragments(b"no video") == (b"", 0)


def test_the_worst_frame_is_found() -> None:
    part, _ = whole_fragments(GOOD)
    assert worst_psnr_db(part, GOOD) == float("inf")
    assert worst_psnr_db(video(change=30), GOOD) < MIN_PSNR_DB
    assert worst_psnr_db(video(seed=1), GOOD) < 25
    assert worst_psnr_db(GOOD, whole_fragments(GOOD[: len(part) - 1])[0]) == 0  # a frame too many


@pytest.mark.parametrize(
    ("received", "status", "told", "end"),
    [
        (GOOD, 200, "", "whole"),
        (GOOD[: len(GOOD) // 2], 200, "RemoteProtocolError", "cut"),
        (GOOD[: len(GOOD) // 2], 200, "", "unclean"),  # it ends as if that were all
        (b"", 200, "RemoteProtocolError", "cut"),
        (b"", 503, "not_ready", "refused"),
        (b"", 0, "ConnectError", "refused"),
        (b"", 500, "internal", "unclean"),
        (b"", 502, "unknown", "unclean"),
    ],
)
def test_how_a_session_ended(received: bytes, status: int, told: str, end: str) -> None:
    assert _judged(received, status, told, WANTED).end == end


def test_a_failure_is_judged_by_its_worst_frame_its_errors_and_its_end() -> None:
    whole, cut = Session("whole", "", 12, 50.0), Session("cut", "RemoteProtocolError", 4, 50.0)
    good = Failure("ingress", [whole, cut], [whole], back_s=10.0)
    assert all(good.verdict().values())
    wrong = Failure("ingress", [cut], [Session("unclean", "internal", 9, 20.0)], back_s=None)
    assert not any(wrong.verdict().values())
    assert all(Failure("proxy", [cut], [whole], back_s=3.0).verdict().values())
    shown = Console(width=120)
    with shown.capture() as text:
        shown.print(_table([good, wrong]))
    assert "never" in text.get()
    assert "20.0" in text.get()


def test_a_server_for_failures_has_two_of_every_replica(root: Path) -> None:
    with doubled(root / "serve_config.yaml") as config:
        (application,) = yaml.safe_load(config.read_text())["applications"]
    deployments = application["deployments"]
    assert [each["num_replicas"] for each in deployments] == [2] * 4
    assert sum(2 * each["ray_actor_options"]["num_cpus"] for each in deployments) <= 1
