"""The published models behind the routes, with made-up weights: time and plumbing, no pictures."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import httpx
import numpy as np
import pytest
import yaml

from app.client.server import LocalServer
from app.client.talk import post
from app.driving import HeadMotion, Performance
from app.media.frames import decode_frames
from app.media.probe import probe_video
from app.report import read_report
from app.variants.liveportrait.pose import rotations
from app.variants.liveportrait.sequence import MotionSequence, dump, load
from tests.serve.conftest import spoken
from tests.serve.driving_media import Image, mp4, nodding

FPS = Fraction(25)
ARGS = {
    "portrait": {"variant": "liveportrait", "weights": "seeded"},
    "lips": {"variant": "wav2lip", "weights": "seeded"},
    # A frame of LivePortrait takes seconds on a CPU.
    "session": {"group_frames": 1, "call_deadline_s": 240.0},
    "runtime": {"backend": "eager"},  # whatever somebody built on this machine
}


@pytest.fixture(scope="module")
def published(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    document = yaml.safe_load((root / "serve_config.yaml").read_text())
    document["applications"][0]["args"] = ARGS
    config = tmp_path_factory.mktemp("published") / "serve_config.yaml"
    config.write_text(yaml.safe_dump(document))
    with LocalServer(config, start_timeout_s=300) as server:
        yield server


def sequence(frames: int) -> bytes:
    none = np.zeros((frames, 1), np.float32)
    yaw = np.linspace(0, 10, frames, dtype=np.float32)[:, None]
    motion = HeadMotion(
        rotations(none, yaw, none),
        np.zeros((frames, 21, 3), np.float32),
        none + 1,
        np.zeros((frames, 3), np.float32),
    )
    return dump(MotionSequence(Performance(motion, np.repeat(none + 0.3, 2, 1), none), FPS))


def test_an_animation_and_a_talk_go_through_and_say_what_they_are(
    published: LocalServer, portrait: bytes, astronaut: Image
) -> None:
    options = {"size": "256", "retarget_eyes": "true"}
    files = {"portrait": portrait, "driving": sequence(2)}
    animated = post(published.url, "/v1/animate", files, options)
    talked = post(
        published.url,
        "/v1/talk",
        {"portrait": portrait, "audio": spoken(0.08)},
        options={"size": "256"},
    )
    half = astronaut.reshape(256, 2, 256, 2, 3).mean(axis=(1, 3))
    for made, models in (
        (animated, "face=mediapipe, portrait=liveportrait;weights=seeded"),
        (
            talked,
            "face=mediapipe, portrait=liveportrait;weights=seeded, lips=wav2lip;weights=seeded",
        ),
    ):
        facts = probe_video(made.video)
        assert (facts.frames, facts.width, facts.picture.errors) == (2, 256, 0)
        assert made.headers["x-digital-human-models"] == models
        # Around the square of the face the photo is as it was.
        corner = next(decode_frames(made.video))[-40:, :40].astype(int)
        assert np.abs(corner - half[-40:, :40]).mean() < 6


def test_wav2lip_paints_the_lower_faces_of_a_video(
    published: LocalServer, astronaut: Image
) -> None:
    pictures = nodding(np.ascontiguousarray(astronaut[:320, 64:384]), 12, hidden=[5])
    files = {"video": mp4(pictures, FPS), "audio": spoken(0.48)}
    made = post(published.url, "/v1/lipsync", files, {"size": "320"})
    assert made.headers["x-digital-human-models"] == "face=mediapipe, lips=wav2lip;weights=seeded"
    assert read_report(made.video) == {"frames": 12, "frames_without_face": 1}
    shown = next(decode_frames(made.video)).astype(int)
    change = np.abs(shown - pictures[0].astype(int)).mean(axis=(1, 2))
    assert change[:60].mean() < 4
    assert change.max() > 10


def test_a_recorded_sequence_holds_an_expression(published: LocalServer, astronaut: Image) -> None:
    driving = mp4(nodding(np.ascontiguousarray(astronaut[:320, 64:384]), 4), FPS)
    made = post(published.url, "/v1/motions", {"driving": driving})
    recorded = load(made.video).performance
    assert len(recorded) == 4
    assert np.abs(recorded.motion.exp).max() > 1e-4


def test_the_models_tell_their_weights(published: LocalServer) -> None:
    listed = httpx.get(f"{published.url}/v1/models", trust_env=False).json()["data"]
    weights = {model["id"]: model["weights"] for model in listed}
    assert weights["liveportrait"] == weights["wav2lip"] == "seeded"
