"""An engine that keeps what it is asked to run, so that a pipeline tells its nets' real inputs."""

from collections.abc import Sequence

import torch
from torch import Tensor


class Recorder:
    """Keeps inputs, and answers zeros.

    Args:
        shape: of the answer, without the batch.
        dtype: of the answer.

    Attributes:
        runs: the inputs of every run.
    """

    backend = "recorder"
    precision = "fp32"

    def __init__(self, shape: Sequence[int], dtype: torch.dtype) -> None:
        self.device = torch.device("cpu")
        self.runs: list[tuple[Tensor, ...]] = []
        self._shape, self._dtype = tuple(shape), dtype

    def run(self, *inputs: Tensor) -> Tensor:
        """Return zeros, one answer per frame."""
        self.runs.append(tuple(each.detach().cpu().clone() for each in inputs))
        return torch.zeros((len(inputs[0]), *self._shape), dtype=self._dtype)

    def frames(self) -> tuple[Tensor, ...]:
        """Return all that was asked for, as one batch."""
        return tuple(torch.cat(each) for each in zip(*self.runs, strict=True))
