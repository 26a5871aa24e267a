"""What the face nets see of a drawn mouth, where they were fetched."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from app.errors import WeightsError
from app.face.analyzer import FaceAnalyzer
from app.face.config import FaceConfig
from app.face.nets import FaceNets
from app.models.viseme.renderer import MouthRenderer
from app.pipeline.mouth import LowerFace, to_crop
from app.topology import LEFT_EYE_OUTER, MOUTH_CORNERS, RIGHT_EYE_OUTER
from app.variants.config import VISEME_CROPS_PX
from app.weights.store import WeightStore
from tests.unit.models.viseme.test_renderer import Pose, named

LIPS = (13, 14)
POSES = {
    "rest": named(),
    "pressed": named(jaw=0.5, close=1),
    "half": named(jaw=0.5),
    "open": named(jaw=1),
    "puckered": named(pucker=1),
    "stretched": named(stretch=1),
}


@pytest.fixture(scope="module")
def analyzer() -> FaceAnalyzer:
    try:
        return FaceAnalyzer(FaceNets.locate(WeightStore().path), FaceConfig())
    except WeightsError as error:
        pytest.skip(str(error))


def speak(
    photo: NDArray[np.uint8], points: NDArray[np.float32], poses: list[Pose]
) -> NDArray[np.uint8]:
    """Return the photo once for each pose, (T, H, W, 3)."""
    frames = np.repeat(photo[None], len(poses), 0)
    meshes = np.repeat(points[None], len(poses), 0)
    face = LowerFace(*VISEME_CROPS_PX)
    places = face.place(meshes)
    crops = face.cut(frames, places)
    with torch.inference_mode():
        drawn = MouthRenderer()(
            torch.from_numpy(crops), torch.from_numpy(to_crop(meshes, places)), torch.tensor(poses)
        )
    return face.blend(frames, crops, drawn.numpy(), places)


@pytest.fixture(scope="module")
def seen(analyzer: FaceAnalyzer, astronaut: NDArray[np.uint8]) -> dict[str, tuple[float, float]]:
    """Return width and gap of each pose's mouth, in distances between the eyes."""
    (mesh,) = analyzer.analyze(astronaut)
    frames = speak(astronaut, mesh.points[:, :2], list(POSES.values()))
    measured = {}
    for name, frame in zip(POSES, frames, strict=True):
        (face,) = analyzer.analyze(frame)
        eyes = apart(face.points, LEFT_EYE_OUTER, RIGHT_EYE_OUTER)
        width, gap = (
            apart(face.points, MOUTH_CORNERS[0], MOUTH_CORNERS[1]),
            apart(face.points, LIPS[0], LIPS[1]),
        )
        measured[name] = (width / eyes, gap / eyes)
    return measured


def apart(points: NDArray[np.float32], one: int, other: int) -> float:
    return float(np.linalg.norm(points[one, :2] - points[other, :2]))


def test_lips_are_seen_closed_at_rest_and_pressed(seen: dict[str, tuple[float, float]]) -> None:
    assert max(seen[name][1] for name in ("rest", "pressed", "stretched")) < 0.02


def test_the_jaw_is_seen_to_open(seen: dict[str, tuple[float, float]]) -> None:
    assert seen["half"][1] > 0.06
    assert seen["open"][1] > seen["half"][1] + 0.03


def test_corners_are_seen_to_come_together_and_apart(seen: dict[str, tuple[float, float]]) -> None:
    rest = seen["rest"][0]
    assert seen["puckered"][0] < 0.88 * rest
    assert seen["stretched"][0] > 1.05 * rest
