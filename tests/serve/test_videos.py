"""`POST /v1/animate`, `/v1/lipsync` and `/v1/motions` against the real application."""

from fractions import Fraction
from pathlib import Path

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from app.driving import TransferSettings
from app.face.analyzer import FaceAnalyzer
from app.face.config import FaceConfig
from app.face.nets import FaceNets
from app.face.turns import roll_deg
from app.jobs import AnimateJob, LipsyncJob
from app.media.frames import decode_frames
from app.media.probe import probe_video
from app.pipeline.config import SessionConfig
from app.pipeline.session import render
from app.report import read_report
from app.serving.stage import Stage
from app.variants.liveportrait.sequence import load
from app.weights.store import WeightStore
from tests.serve.conftest import spoken
from tests.serve.driving_media import TURN_DEG, Image, mp4, nodding

FPS = Fraction(25)
NTSC = Fraction(1001, 1000)


@pytest.fixture(scope="module")
def photo(astronaut: Image) -> Image:
    return np.ascontiguousarray(astronaut[:320, 64:384])


@pytest.fixture(scope="module")
def analyzer() -> FaceAnalyzer:
    return FaceAnalyzer(FaceNets.locate(WeightStore().path), FaceConfig())


def rolls(video: bytes, analyzer: FaceAnalyzer) -> NDArray[np.float64]:
    """Return how far the head leans in each frame, degrees; NaN where there is none."""
    meshes = [analyzer.analyze(frame) for frame in decode_frames(video)]
    return np.array([roll_deg(found[0].points) if found else np.nan for found in meshes])


@pytest.mark.parametrize(
    "rate",
    [24 / NTSC, Fraction(25), 30 / NTSC, Fraction(30), Fraction(50)],
    ids=["23.976", "25", "29.97", "30", "50"],
)
async def test_an_animation_has_the_drivings_frames_time_and_sound(
    http: httpx.AsyncClient, portrait: bytes, photo: Image, rate: Fraction
) -> None:
    frames = 31
    sound = np.full(round(frames / rate * 48_000), 500, np.int16)
    files = {"portrait": portrait, "driving": mp4(nodding(photo, frames), rate, sound=sound)}
    answer = await http.post("/v1/animate", files=files, data={"size": "256"})
    assert answer.status_code == 200, answer.text
    facts = probe_video(answer.content)
    assert facts.frames == int(answer.headers["x-digital-human-frames"]) == frames
    assert facts.fps == rate
    assert facts.picture.errors == 0
    assert facts.sound is not None
    assert abs(facts.picture.end_s - facts.sound.end_s) <= 1 / rate
    assert "head-and-eyes-only" in answer.headers["x-digital-human-notes"]


async def test_a_driving_video_of_variable_rate_is_followed_in_time(
    http: httpx.AsyncClient, portrait: bytes, photo: Image, analyzer: FaceAnalyzer
) -> None:
    """Half of the pictures stand twice as long: the head's movement keeps its own time."""
    stamps = [40 * index if index < 24 else 960 + 80 * (index - 24) for index in range(36)]
    driving = mp4(nodding(photo, 36), FPS, stamps)
    files = {"portrait": portrait, "driving": driving}
    answer = await http.post("/v1/animate", files=files, data={"size": "256", "fps": "25"})
    facts = probe_video(answer.content)
    assert facts.is_constant_rate
    assert abs(facts.picture.end_s - Fraction(1920, 1000)) <= Fraction(1, 25)
    shown = rolls(answer.content, analyzer)
    middle = [float(TURN_DEG * np.sin(i * 2 * np.pi / 24)) for i in range(24)]
    slow = [float(TURN_DEG * np.sin(i / 2 * 2 * np.pi / 24)) for i in range(len(shown) - 24)]
    assert np.corrcoef(shown, middle + slow)[0, 1] > 0.97


async def test_the_head_leans_as_the_driving_does_also_after_a_recorded_sequence(
    http: httpx.AsyncClient, portrait: bytes, photo: Image, analyzer: FaceAnalyzer
) -> None:
    driving = mp4(nodding(photo, 40), FPS)
    recorded = await http.post("/v1/motions", files={"driving": driving})
    assert recorded.headers["content-type"] == "application/x-npz"
    sequence = load(recorded.content)
    assert (len(sequence.performance), sequence.fps) == (40, FPS)
    assert sequence.performance.eyes is not None
    wanted = rolls(driving, analyzer)
    for source in (driving, recorded.content):
        files = {"portrait": portrait, "driving": source}
        answer = await http.post("/v1/animate", files=files, data={"crop": "true"})
        facts = probe_video(answer.content)
        assert (facts.width, facts.height, facts.frames) == (512, 512, 40)
        assert np.corrcoef(rolls(answer.content, analyzer), wanted)[0, 1] > 0.97


async def test_a_face_that_is_lost_is_held_and_counted_and_no_frame_is_dropped(
    http: httpx.AsyncClient, portrait: bytes, photo: Image, analyzer: FaceAnalyzer
) -> None:
    hidden = range(30, 70)
    files = {"portrait": portrait, "driving": mp4(nodding(photo, 90, hidden), FPS)}
    answer = await http.post("/v1/animate", files=files, data={"size": "256"})
    assert read_report(answer.content) == {"frames": 90, "frames_without_face": 40}
    shown = rolls(answer.content, analyzer)
    assert len(shown) == 90
    assert np.abs(np.diff(shown)).max() < 6
    assert np.abs(shown[31:41] - shown[30]).max() < 1.5
    assert abs(shown[69] - shown[0]) < 1.5


async def test_a_video_without_a_face_is_refused(http: httpx.AsyncClient, portrait: bytes) -> None:
    noise = [np.random.default_rng(0).integers(0, 255, (256, 256, 3), np.uint8)] * 10
    blank = mp4(noise, FPS)
    for route, files in (
        ("/v1/animate", {"portrait": portrait, "driving": blank}),
        ("/v1/lipsync", {"video": blank, "audio": spoken(0.4)}),
        ("/v1/motions", {"driving": blank}),
    ):
        answer = await http.post(route, files=files)
        assert (answer.status_code, answer.json()["code"]) == (422, "no_face"), route


@pytest.mark.parametrize(
    ("driving", "status", "code"),
    [
        (b"PK\x03\x04 no archive", 415, "unsupported_media"),
        (b"no video at all", 415, "unsupported_media"),
    ],
)
async def test_bad_driving_files_are_refused(
    http: httpx.AsyncClient, portrait: bytes, driving: bytes, status: int, code: str
) -> None:
    files = {"portrait": portrait, "driving": driving}
    answer = await http.post("/v1/animate", files=files)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_lip_synced_video_is_as_long_as_the_speech_and_moves_its_mouth_only(
    http: httpx.AsyncClient, photo: Image
) -> None:
    """A video that is shorter than the speech runs back; frames without a face stay as they are."""
    pictures = nodding(photo, 20, hidden=[7])
    files = {"video": mp4(pictures, FPS), "audio": spoken(2)}
    answer = await http.post("/v1/lipsync", files=files, data={"size": "320"})
    assert answer.status_code == 200, answer.text
    facts = probe_video(answer.content)
    assert facts.frames == 50
    assert facts.sound is not None
    assert abs(facts.picture.end_s - facts.sound.end_s) <= Fraction(1, 25)
    assert read_report(answer.content) == {"frames": 50, "frames_without_face": 3}
    frames = list(decode_frames(answer.content))
    for index in (7, 31, 45):
        assert frames[index].mean() < 3
    changes = [
        np.abs(frame.astype(int) - pictures[min(i % 38, 38 - i % 38)].astype(int)).mean(axis=(1, 2))
        for i, frame in enumerate(frames)
        if i not in (7, 31, 45)
    ]
    rows = np.mean(changes, axis=0)
    assert rows[:60].mean() < 4  # the encoder's noise


async def test_a_portrait_is_lip_synced_and_stands_still(
    http: httpx.AsyncClient, portrait: bytes
) -> None:
    files = {"portrait": portrait, "audio": spoken(1)}
    answer = await http.post("/v1/lipsync", files=files, data={"size": "256"})
    frames = np.stack(list(decode_frames(answer.content))).astype(int)
    assert len(frames) == 25
    moved = np.abs(frames - frames[0]).mean(axis=(0, 3))
    assert moved[:40].mean() < 3  # the encoder's noise
    assert moved.max() > 15


async def test_a_talk_follows_a_driving_file(
    http: httpx.AsyncClient, portrait: bytes, photo: Image, analyzer: FaceAnalyzer
) -> None:
    driving = mp4(nodding(photo, 30), FPS)
    files = {"portrait": portrait, "audio": spoken(1), "driving": driving}
    answer = await http.post("/v1/talk", files=files, data={"motion": "file", "size": "256"})
    assert answer.status_code == 200, answer.text
    wanted = rolls(driving, analyzer)[:25]
    assert np.corrcoef(rolls(answer.content, analyzer), wanted)[0, 1] > 0.95


async def streamed(stage: Stage, job: AnimateJob | LipsyncJob, config: SessionConfig) -> Image:
    take = await stage.prepare(job)
    try:
        return np.concatenate([group.pixels async for group in render(take.scene, config)])
    finally:
        take.close()


@pytest.mark.parametrize("kind", ["animate", "lipsync"])
async def test_a_streamed_run_equals_an_offline_run(
    stage: Stage, portrait: bytes, photo: Image, kind: str
) -> None:
    """Eight frames at a time and two groups in flight, against all frames in one group."""
    video = mp4(nodding(photo, 30, hidden=[12, 13]), FPS)
    job: AnimateJob | LipsyncJob
    if kind == "animate":
        job = AnimateJob(portrait, video, None, 256, None, False, TransferSettings())
    else:
        job = LipsyncJob(video, False, spoken(1.2), None, 256, None)
    groups = await streamed(stage, job, SessionConfig())
    whole = await streamed(stage, job, SessionConfig(group_frames=32, groups_in_flight=1))
    assert len(groups) == 30
    assert np.abs(groups.astype(int) - whole.astype(int)).max() <= 1


async def test_real_videos(http: httpx.AsyncClient, shared_media: Path) -> None:
    portrait = (shared_media / "portraits" / "s9.jpg").read_bytes()
    motion = (shared_media / "motion" / "d8.npz").read_bytes()
    clip = (shared_media / "driving" / "d12.mp4").read_bytes()
    presenter = (shared_media / "talking" / "presenter.mp4").read_bytes()
    jfk = (shared_media / "speech" / "jfk.flac").read_bytes()
    for route, files, frames in (
        ("/v1/animate", {"portrait": portrait, "driving": motion}, 275),
        ("/v1/animate", {"portrait": portrait, "driving": clip}, 183),
        ("/v1/lipsync", {"video": presenter, "audio": jfk}, 330),
    ):
        answer = await http.post(route, files=files, data={"size": "256"})
        facts = probe_video(answer.content)
        assert (facts.frames, facts.picture.errors) == (frames, 0)
