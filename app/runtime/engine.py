"""The protocol that every engine implements, and that its users call."""

from typing import Protocol

import torch


class Engine(Protocol):
    """A net, made ready to run on one device."""

    backend: str
    precision: str
    device: torch.device

    def run(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return the net's output for a batch, owned by the caller, on the CPU.

        Args:
            inputs: tensors whose first dimension is the batch B, the same for all; each on the
                CPU or, where it is kept between runs, on `device`.
        """
        ...
