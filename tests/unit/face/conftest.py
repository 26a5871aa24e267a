"""The real nets where they were fetched, and meshes and portraits to look at."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from app import topology
from app.errors import WeightsError
from app.face.analyzer import FaceAnalyzer
from app.face.config import FaceConfig
from app.face.nets import FaceNets
from app.head_pose import FACE
from app.values import FaceMesh
from app.weights.store import WeightStore

MeshMaker = Callable[..., FaceMesh]


@pytest.fixture(scope="session")
def nets() -> FaceNets:
    try:
        return FaceNets.locate(WeightStore().path)
    except WeightsError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def analyzer(nets: FaceNets) -> FaceAnalyzer:
    return FaceAnalyzer(nets, FaceConfig())


@pytest.fixture(scope="session")
def astronaut_mesh(analyzer: FaceAnalyzer, astronaut: NDArray[np.uint8]) -> FaceMesh:
    (mesh,) = analyzer.analyze(astronaut)
    return mesh


@pytest.fixture(scope="session")
def make_mesh() -> MeshMaker:
    """Return a maker of meshes with a round oval, whose rigid points lie as on a mean face.

    Points of the oval that the pose is read from turn too; all is then brought to the size.
    """

    def make(size_px: float = 200, yaw_deg: float = 0, roll_deg: float = 0) -> FaceMesh:
        points = np.zeros((478, 3), np.float32)
        around = np.linspace(0, 2 * np.pi, len(topology.FACE_OVAL), endpoint=False)
        oval = np.stack([np.sin(around), -np.cos(around), np.zeros_like(around)], axis=1)
        points[list(topology.FACE_OVAL)] = oval / 2
        aside = np.radians(yaw_deg)
        turn = np.array([[np.cos(aside), 0, -np.sin(aside)], [0, 1, 0]])
        for index, place in FACE.items():
            points[index, :2] = turn @ place / 16
        roll = np.radians(roll_deg)
        matrix = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
        points[:, :2] = points[:, :2] @ matrix.T
        flat = points[list(topology.FACE_OVAL), :2]
        points *= np.float32(size_px / (flat.max(axis=0) - flat.min(axis=0)).max())
        points[:, :2] += 300
        return FaceMesh(points.astype(np.float32), np.zeros(52, np.float32), 1.0)

    return make
