"""The command that times the published nets, on the smallest of them."""

import pytest
import torch

from app.bench.__main__ import main
from app.bench.nets import NETS, measure_nets
from app.weights.layout import NETWORKS


def test_a_net_is_measured_and_torch_left_as_it_was() -> None:
    threads = torch.get_num_threads()
    told: list[str] = []
    (row,) = measure_nets(["stitching"], told.append)
    assert told == [row.name] == ["stitching"]
    assert 0 < row.wall_s < 1
    assert torch.get_num_threads() == threads


def test_every_net_is_a_published_one() -> None:
    assert {net.network for net in NETS.values()} <= set(NETWORKS)


def test_an_unknown_net_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nets", "stitching", "nose"]) == 1
    assert "nose" in capsys.readouterr().err
