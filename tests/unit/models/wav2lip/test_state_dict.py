import pytest
import torch
from torch import nn

from app.models.renaming import RenamingTable
from app.models.wav2lip.generator import Wav2Lip
from app.models.wav2lip.state_dict import LIPSYNC_EXPERT, WAV2LIP
from app.models.wav2lip.syncnet import SyncNet
from tests import parity

CHECKPOINTS = [
    pytest.param(Wav2Lip, WAV2LIP, "wav2lip", id="wav2lip"),
    pytest.param(SyncNet, LIPSYNC_EXPERT, "lipsync_expert", id="lipsync_expert"),
]


@pytest.mark.parametrize(("net", "table", "network"), CHECKPOINTS)
def test_our_parameters_are_the_published_ones_in_both_directions(
    net: type[nn.Module], table: RenamingTable, network: str
) -> None:
    with torch.device("meta"):
        ours = net().state_dict()
    published = parity.manifest(network)["keys"]
    official = table.to_official(ours)
    assert {
        key: [list(tensor.shape), str(tensor.dtype).removeprefix("torch.")]
        for key, tensor in official.items()
    } == published
    back = table.to_ours(official)
    assert list(back) == list(ours)
    assert all(back[key] is ours[key] for key in ours)


@pytest.mark.parametrize(("net", "table", "network"), CHECKPOINTS)
def test_no_name_of_ours_is_an_official_one(
    net: type[nn.Module], table: RenamingTable, network: str
) -> None:
    with torch.device("meta"):
        ours = set(net().state_dict())
    assert not ours & set(parity.manifest(network)["keys"])
