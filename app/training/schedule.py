"""How a fit proceeds."""

from dataclasses import dataclass


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
