"""Plain PyTorch: the reference, and the answer on CPU."""

import torch
from torch import nn


class EagerEngine:
    """Runs a net as it stands, in inference mode.

    Args:
        net: a module that maps batched tensors to one batched tensor.
        device: where it runs.
    """

    backend = "eager"

    def __init__(self, net: nn.Module, device: str = "cpu") -> None:
        self._device = torch.device(device)
        self._net = net.eval().to(self._device)

    def run(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return the net's output for a batch, on the CPU."""
        with torch.inference_mode():
            output = self._net(*(tensor.to(self._device) for tensor in inputs))
        assert isinstance(output, torch.Tensor)
        return output.cpu()
