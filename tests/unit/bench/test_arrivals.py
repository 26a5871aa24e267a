"""Schedules of an open loop are seeded, bounded and of the rate that was asked."""

import numpy as np
import pytest

from app.bench.arrivals import MOST_ARRIVALS, arrivals, starts
from app.errors import BadRequest


def test_equal_seeds_give_equal_schedules_and_others_do_not() -> None:
    first, same, other = (arrivals(5, 60, seed, "poisson") for seed in (1, 1, 2))
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("seed", range(5))
def test_poisson_arrivals_have_their_rate_and_their_spread(seed: int) -> None:
    times_s = arrivals(20, 100, seed, "poisson")
    assert times_s[0] == 0
    assert (np.diff(times_s) >= 0).all()
    assert times_s[-1] < 100
    assert abs(len(times_s) - 2000) < 5 * 2000**0.5
    gaps_s = np.diff(times_s)
    assert gaps_s.std() / gaps_s.mean() == pytest.approx(1, abs=0.1)


def test_fixed_arrivals_keep_their_distance() -> None:
    assert arrivals(4, 1, 0, "fixed").tolist() == [0, 0.25, 0.5, 0.75]


def test_more_arrivals_than_a_level_may_have_are_refused() -> None:
    with pytest.raises(BadRequest, match="20000"):
        arrivals(MOST_ARRIVALS, 1.1, 0, "poisson")


def test_streams_begin_within_the_ramp_and_the_first_at_once() -> None:
    times_s = starts(10, 2.0, 3)
    assert len(times_s) == 10
    assert times_s[0] == 0
    assert (np.diff(times_s) >= 0).all()
    assert times_s[-1] <= 2
    assert starts(1, 2.0, 3).tolist() == [0]
