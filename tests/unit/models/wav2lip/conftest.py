"""Both nets with made-up weights, as loaded and as served."""

import pytest
import torch

from app.models.folding import folded
from app.models.renaming import load_official
from app.models.wav2lip.generator import Wav2Lip
from app.models.wav2lip.state_dict import LIPSYNC_EXPERT, WAV2LIP
from app.models.wav2lip.syncnet import SyncNet
from tests import parity

# For what loading has no part in: the net as it is served.
FOLDED = pytest.mark.parametrize("wav2lip", [True], ids=["folded"], indirect=True)


def official(network: str) -> dict[str, torch.Tensor]:
    return {key: torch.from_numpy(array) for key, array in parity.weights(network).items()}


@pytest.fixture(scope="session", params=[False, True], ids=["loaded", "folded"])
def wav2lip(request: pytest.FixtureRequest) -> Wav2Lip:
    net = Wav2Lip().eval()
    load_official(net, WAV2LIP, official("wav2lip"))
    return folded(net) if request.param else net


@pytest.fixture(scope="session", params=[False, True], ids=["loaded", "folded"])
def syncnet(request: pytest.FixtureRequest) -> SyncNet:
    net = SyncNet().eval()
    load_official(net, LIPSYNC_EXPERT, official("lipsync_expert"))
    return folded(net) if request.param else net
