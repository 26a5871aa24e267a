"""Real portraits with real speech; skipped where they are not at hand."""

from pathlib import Path

import numpy as np
import pytest

from app.client.server import LocalServer
from app.client.talk import talk
from app.face.analyzer import FaceAnalyzer
from app.face.config import FaceConfig
from app.face.nets import FaceNets
from app.media.frames import decode_frames
from app.media.samples import decode_mono
from app.quality.levels import levels_db
from app.quality.watching import watch
from app.weights.store import WeightStore
from tests.serve.conftest import wav

SECONDS = 3


@pytest.fixture(scope="module")
def speech(shared_media: Path) -> bytes:
    samples, rate_hz = decode_mono((shared_media / "speech" / "jfk.flac").read_bytes())
    return wav((samples[: SECONDS * rate_hz] * 32767).astype(np.int16), rate_hz)


@pytest.mark.parametrize("name", ["s0", "s3", "s5", "s9", "s12"])
def test_the_mouth_follows_the_words_and_the_face_stays_a_face(
    server: LocalServer, shared_media: Path, speech: bytes, name: str
) -> None:
    photo = (shared_media / "portraits" / f"{name}.jpg").read_bytes()
    frames = list(decode_frames(talk(server.url, photo, speech).video))
    analyzer = FaceAnalyzer(FaceNets.locate(WeightStore().path), FaceConfig())
    watched = watch(frames, analyzer, analyzer.analyze(frames[0])[0].points)
    assert watched.seen.all()
    assert np.subtract(*np.percentile(watched.gap, [95, 5])) > 0.025
    assert np.corrcoef(watched.gap, levels_db(speech, len(frames)))[0, 1] > 0.5
