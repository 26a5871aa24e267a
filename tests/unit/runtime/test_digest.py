import torch
from torch import nn

from app.runtime.digest import weights_digest


def test_the_digest_is_of_all_that_a_net_holds() -> None:
    net = nn.Linear(2, 3)
    before = weights_digest(net)
    assert before == weights_digest(net)
    assert before != weights_digest(net.half())
    net.float().get_parameter("bias").data[0] += 1
    assert before != weights_digest(net)
    assert weights_digest(nn.BatchNorm1d(1)) != weights_digest(nn.BatchNorm1d(1, affine=False))
    assert torch.is_floating_point(net.weight)
