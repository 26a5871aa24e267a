"""Renaming tables: both ways, exact, and plain about what does not fit."""

import pytest
import torch
from torch import nn

from app.models.renaming import Rename, RenamingTable, StateMismatch, load_official

TABLE = RenamingTable(
    Rename("trunk.0.{tensor}", "stem.{tensor}"),
    Rename("trunk.{i}.{tensor}", "blocks.{i}.{tensor}"),
    Rename(("wide.{tensor}", "narrow.{tensor}"), "heads.{tensor}", rows=(3, 1)),
    Rename(("gate_{n}.a.{tensor}", "gate_{n}.b.{tensor}"), "gates.{n}.{tensor}"),
)


def official() -> dict[str, torch.Tensor]:
    return {
        "trunk.0.weight": torch.rand(2, 5),
        "trunk.0.count": torch.tensor(7),
        "trunk.1.weight": torch.rand(2, 2),
        "trunk.12.weight": torch.rand(2, 2),
        "narrow.weight": torch.rand(1, 2),
        "wide.weight": torch.rand(3, 2),
        "gate_x.b.bias": torch.rand(4),
        "gate_x.a.bias": torch.rand(4),
    }


def test_a_state_comes_back_exactly() -> None:
    state = official()
    ours = TABLE.to_ours(state)
    assert set(ours) == {
        "stem.weight",
        "stem.count",
        "blocks.1.weight",
        "blocks.12.weight",
        "heads.weight",
        "gates.x.bias",
    }
    torch.testing.assert_close(ours["heads.weight"][:3], state["wide.weight"], rtol=0, atol=0)
    torch.testing.assert_close(ours["gates.x.bias"][4:], state["gate_x.b.bias"], rtol=0, atol=0)
    back = TABLE.to_official(ours)
    assert set(back) == set(state)
    assert all(torch.equal(back[key], state[key]) for key in state)


def test_a_key_that_no_line_takes_is_named() -> None:
    with pytest.raises(StateMismatch, match=r"unexpected: trunk\.weight"):
        TABLE.to_ours(official() | {"trunk.weight": torch.zeros(1)})
    with pytest.raises(StateMismatch, match=r"unexpected: trunk\.0\.weight"):
        TABLE.to_official({"trunk.0.weight": torch.zeros(1)})


def test_half_of_a_concatenated_tensor_is_not_enough() -> None:
    state = official()
    del state["gate_x.a.bias"]
    with pytest.raises(StateMismatch) as caught:
        TABLE.to_ours(state)
    assert caught.value.missing == ("gate_x.a.bias",)
    assert caught.value.unexpected == ()


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(5, 2)
        self.heads = nn.Linear(2, 4)


def test_loading_fills_the_net() -> None:
    net, other = Net(), Net()
    load_official(net, TABLE, TABLE.to_official(other.state_dict()))
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), other.parameters(), strict=True))


def test_loading_names_everything_that_differs_at_once() -> None:
    net = Net()
    before = net.stem.bias.clone()
    state = TABLE.to_official(net.state_dict())
    del state["trunk.0.bias"]
    state["narrow.weight"] = torch.zeros(2, 2)
    state["extra.weight"] = torch.zeros(1)
    with pytest.raises(StateMismatch) as caught:
        load_official(net, TABLE, state)
    assert caught.value.missing == ("trunk.0.bias",)
    assert caught.value.unexpected == ("extra.weight",)
    assert caught.value.reshaped == {"narrow.weight": ((2, 2), (1, 2))}
    assert "narrow.weight is (2, 2), not (1, 2)" in str(caught.value)
    assert torch.equal(net.stem.bias, before)
