"""Every tensor of every published checkpoint has a name of ours, and finds its own again."""

import pytest
import torch

from app.models.renaming import StateMismatch, load_official
from tests import parity
from tests.unit.models.liveportrait.published import PUBLISHED, filled, weights


@pytest.mark.parametrize("module", PUBLISHED)
def test_renaming_is_exact_both_ways(module: str) -> None:
    net = filled(module)
    back = PUBLISHED[module].table.to_official(net.state_dict())
    facts = parity.manifest(module)
    found = {key: [list(of.shape), str(of.dtype).split(".")[1]] for key, of in back.items()}
    assert found == facts["keys"]
    assert parity.digest({key: of.numpy() for key, of in back.items()}) == facts["rule_r_sha256"]
    again = PUBLISHED[module].table.to_ours(back)
    ours = net.state_dict()
    assert set(again) == set(ours)
    assert all(torch.equal(again[key], ours[key]) for key in ours)


def test_another_checkpoint_is_refused_by_official_names() -> None:
    module = "stitching_retargeting_module/retarget_eye"
    state = weights("stitching_retargeting_module/retarget_mouth")
    with pytest.raises(StateMismatch) as caught:
        load_official(PUBLISHED[module].net(), PUBLISHED[module].table, state)
    assert "mlp.10.weight" in caught.value.missing
    assert caught.value.reshaped["mlp.0.weight"] == ((128, 65), (256, 66))
