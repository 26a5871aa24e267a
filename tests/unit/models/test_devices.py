"""Nets make all that they need on the device of their inputs.

Proved on any machine by torch's "meta" device, whose tensors have no data.
"""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from app.models.puppet.renderer import PuppetNet
from app.models.viseme.net import VisemeNet
from tests.unit.models.one_device import OneDevice


def puppet_inputs() -> list[torch.Tensor]:
    return [
        torch.zeros(2, 3, 96, 64),
        torch.zeros(2, 9, 64, 64),
        torch.zeros(2, 17, 1024),
        torch.zeros(2, 1024, dtype=torch.int64),
        torch.zeros(2, 3),
        torch.zeros(2, 2),
        torch.zeros(2, 4),
    ]


def viseme_inputs() -> list[torch.Tensor]:
    return [
        torch.zeros(2, 256, 256, 3, dtype=torch.uint8),
        torch.zeros(2, 478, 2),
        torch.zeros(2, 80, 32),
    ]


@pytest.mark.parametrize(
    ("net", "inputs", "shape"),
    [
        (PuppetNet, puppet_inputs, (2, 96, 64, 3)),
        (VisemeNet, viseme_inputs, (2, 256, 256, 3)),
    ],
    ids=["puppet", "viseme"],
)
def test_a_net_makes_nothing_on_another_device(
    net: Callable[[], nn.Module],
    inputs: Callable[[], list[torch.Tensor]],
    shape: tuple[int, ...],
) -> None:
    module = net().to("meta")
    on_meta = [tensor.to("meta") for tensor in inputs()]
    with torch.inference_mode(), OneDevice():
        drawn = module(*on_meta)
    assert (drawn.device.type, drawn.dtype, tuple(drawn.shape)) == ("meta", torch.uint8, shape)


@pytest.mark.parametrize(
    ("net", "inputs", "on_cpu"),
    [(PuppetNet, puppet_inputs, index) for index in range(7)]
    + [(VisemeNet, viseme_inputs, index) for index in range(3)],
)
def test_every_input_that_lies_elsewhere_is_noticed(
    net: Callable[[], nn.Module], inputs: Callable[[], list[torch.Tensor]], on_cpu: int
) -> None:
    module = net().to("meta")
    mixed = [
        tensor if index == on_cpu else tensor.to("meta") for index, tensor in enumerate(inputs())
    ]
    with (
        torch.inference_mode(),
        OneDevice(),
        pytest.raises((AssertionError, RuntimeError, NotImplementedError)),
    ):
        module(*mixed)
