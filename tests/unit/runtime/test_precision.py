import pytest
import torch
from torch import Tensor, nn

from app.runtime.precision import halved


class Noting(nn.Linear):
    """Notes the type that it computes in."""

    seen: torch.dtype | None = None

    def forward(self, input: Tensor) -> Tensor:
        self.seen = input.dtype
        return super().forward(input)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.narrow, self.wide = Noting(4, 4), Noting(4, 4)

    def forward(self, x: Tensor, places: Tensor) -> Tensor:
        assert places.dtype == torch.float32
        y: Tensor = self.wide(self.narrow(x))
        return y


def test_modules_that_are_kept_compute_in_float32() -> None:
    net = Net().eval()
    x = torch.randn(3, 4)
    half = halved(net, keep=("wide",), narrow=(0,))
    output = half(x, x)
    types = [each.seen for each in half.modules() if isinstance(each, Noting)]
    assert types == [torch.float16, torch.float32]
    assert output.dtype == torch.float32
    assert net.narrow.weight.dtype == torch.float32
    torch.testing.assert_close(output, net(x, x), rtol=0.01, atol=0.01)
    kept = half.get_submodule("net.wide.module").get_parameter("weight")
    assert torch.equal(kept, net.wide.weight)


def test_a_pattern_must_name_a_module() -> None:
    with pytest.raises(ValueError, match="no module 'heads'"):
        halved(Net(), keep=("heads",))
