"""The learning rate over a fit."""

import numpy as np
import pytest
import torch

from app.training.schedule import Schedule


def rates(schedule: Schedule) -> list[float]:
    """Return the rate of each step."""
    optimiser = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], schedule.rate)
    rate = schedule.rates(optimiser)
    seen = []
    for _ in range(schedule.steps):
        seen.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        rate.step()
    return seen


@pytest.mark.parametrize("steps", [50, 200])
def test_the_rate_rises_over_a_tenth_and_falls_to_nothing(steps: int) -> None:
    seen = np.array(rates(Schedule(steps=steps, rate=2e-3)))
    top = int(seen.argmax())
    assert top == steps // 10 - 1
    assert seen[top] == pytest.approx(2e-3)
    assert seen[0] < 2e-3 / 10
    assert (np.diff(seen[: top + 1]) > 0).all()
    assert (np.diff(seen[top:]) < 0).all()
    assert seen[-1] < 2e-3 / 1000
