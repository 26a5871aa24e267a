"""How a fit proceeds."""

from dataclasses import dataclass

from torch.optim import Optimizer
from torch.optim.lr_scheduler import OneCycleLR


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast.

    Attributes:
        steps: of the optimiser.
        batch: clips of one step.
        length: mel steps of each clip that count.
        rate: the highest learning rate; it rises over the first tenth and then falls to 0.
    """

    steps: int = 2000
    batch: int = 24
    length: int = 256
    rate: float = 3e-3

    def rates(self, optimiser: Optimizer) -> OneCycleLR:
        """Return what sets an optimiser's rate, to be told of each step after the optimiser's."""
        return OneCycleLR(optimiser, self.rate, self.steps, pct_start=0.1)
