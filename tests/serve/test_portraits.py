"""Real portraits with real speech; skipped where they are not at hand."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from app.client.server import LocalServer
from app.client.talk import talk
from app.face.analyzer import FaceAnalyzer
from app.face.config import FaceConfig
from app.face.nets import FaceNets
from app.media.frames import decode_frames
from app.media.samples import decode_mono
from app.quality.levels import levels_db
from app.quality.watching import Watched, watch
from app.topology import LEFT_EYE_OUTER, OUTER_LIP_LOWER, RIGHT_EYE_OUTER
from app.weights.store import WeightStore
from tests.serve.conftest import wav

SECONDS = 3
NOSE_BASE = 2


@pytest.fixture(scope="module")
def speech(shared_media: Path) -> bytes:
    samples, rate_hz = decode_mono((shared_media / "speech" / "jfk.flac").read_bytes())
    return wav((samples[: SECONDS * rate_hz] * 32767).astype(np.int16), rate_hz)


HIDDEN_LIPS = {"s12"}
"""Beneath a moustache, where the face mesh tells an open mouth from a shut one hardly at all."""


@pytest.mark.parametrize("name", ["s0", "s3", "s5", "s9", "s12"])
def test_the_mouth_follows_the_words_and_the_face_stays_a_face(
    server: LocalServer, shared_media: Path, speech: bytes, name: str
) -> None:
    photo = (shared_media / "portraits" / f"{name}.jpg").read_bytes()
    frames = list(decode_frames(talk(server.url, photo, speech).video))
    analyzer = FaceAnalyzer(FaceNets.locate(WeightStore().path), FaceConfig())
    watched = watch(frames, analyzer, analyzer.analyze(frames[0])[0].points)
    assert watched.seen.all()
    levels = levels_db(speech, len(frames))
    assert spread(jaw_drop(watched)) > 0.05
    assert np.corrcoef(jaw_drop(watched), levels)[0, 1] > 0.5
    if name not in HIDDEN_LIPS:
        assert spread(watched.gap) > 0.018
        assert np.corrcoef(watched.gap, levels)[0, 1] > 0.5


def spread(values: NDArray[np.float32]) -> float:
    return float(np.subtract(*np.percentile(values, [95, 5])))


def jaw_drop(watched: Watched) -> NDArray[np.float32]:
    """Return the way from the nose to beneath the lower lip, distances between the eyes."""
    flat = watched.points[..., :2]
    eyes = np.linalg.norm(flat[:, LEFT_EYE_OUTER] - flat[:, RIGHT_EYE_OUTER], axis=1)
    way = np.linalg.norm(flat[:, OUTER_LIP_LOWER[5]] - flat[:, NOSE_BASE], axis=1)
    return np.asarray(way / eyes, np.float32)
