"""The nets' stand-ins, and real faces where the face nets were fetched."""

import pytest

from app.errors import WeightsError
from app.face.analyzer import FaceAnalyzer
from app.face.config import FaceConfig
from app.face.nets import FaceNets
from app.variants.liveportrait.retargeting import Retargeting
from app.weights.store import WeightStore
from tests.unit.variants.liveportrait.parity import retargeting_nets


@pytest.fixture(scope="session")
def retargeting() -> Retargeting:
    return retargeting_nets()


@pytest.fixture(scope="session")
def analyzer() -> FaceAnalyzer:
    try:
        return FaceAnalyzer(FaceNets.locate(WeightStore().path), FaceConfig())
    except WeightsError as error:
        pytest.skip(str(error))
