import pytest
import torch
from torch import nn

from app.runtime.buckets import BUCKETS
from app.runtime.eager import EagerEngine


class Doubler(nn.Module):
    """Doubles the first input plus the second, and remembers at which batch sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def forward(self, x_B3: torch.Tensor, y_B: torch.Tensor) -> torch.Tensor:
        assert not torch.is_grad_enabled()
        self.sizes.append(len(x_B3))
        return 2 * x_B3 + y_B[:, None]


def inputs(frames: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.arange(3.0 * frames).reshape(frames, 3), torch.arange(1.0 * frames)


@pytest.mark.parametrize(
    ("buckets", "chunk_frames", "frames", "sizes"),
    [
        ((), None, 13, [13]),
        ((), None, 0, [0]),
        ((), 4, 0, [0]),
        (BUCKETS, None, 0, [0]),
        ((), 4, 13, [4, 4, 4, 1]),
        (BUCKETS, None, 13, [16]),
        (BUCKETS, None, 8, [8]),
        (BUCKETS, None, 70, [32, 32, 8]),
        (BUCKETS, 8, 13, [8, 8]),
        (BUCKETS, 1, 3, [1, 1, 1]),
    ],
)
def test_frames_come_back_whatever_sizes_the_net_sees(
    buckets: tuple[int, ...], chunk_frames: int | None, frames: int, sizes: list[int]
) -> None:
    net = Doubler()
    x, y = inputs(frames)
    output = EagerEngine(net, buckets=buckets, chunk_frames=chunk_frames).run(x, y)
    assert torch.equal(output, 2 * x + y[:, None])
    assert net.sizes == sizes


def test_a_solo_run_and_a_batched_one_can_use_the_same_shapes() -> None:
    net = Doubler()
    engine = EagerEngine(net, buckets=(8,))
    for frames in (2, 5, 8, 16):
        engine.run(*inputs(frames))
    assert set(net.sizes) == {8}


def test_the_net_is_in_evaluation_mode() -> None:
    net = nn.Dropout(1.0).train()
    x = torch.ones(2, 3)
    assert torch.equal(EagerEngine(net).run(x), x)


def test_net_and_inputs_are_moved_to_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.Tensor, "cpu", lambda tensor: torch.zeros(tensor.shape))
    seen: list[str] = []

    class Watching(nn.Linear):
        def forward(self, input: torch.Tensor) -> torch.Tensor:
            seen.extend([input.device.type, self.weight.device.type])
            return super().forward(input)

    engine = EagerEngine(Watching(3, 3), device="meta", buckets=(4,))
    for device in ("cpu", "meta"):
        assert engine.run(torch.ones(2, 3, device=device)).shape == (2, 3)
    assert engine.device.type == "meta"
    assert seen == ["meta"] * 4
