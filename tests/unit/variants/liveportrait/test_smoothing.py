import numpy as np
import pytest

from app.variants.liveportrait.smoothing import smooth
from tests.parity import Fixture
from tests.unit.variants.liveportrait.parity import check


def test_smoothing_equals_the_published() -> None:
    fixture = Fixture("kalman")
    seen = fixture.inputs["x"][:, 0]
    check(fixture.compare({"smooth_3e-7": smooth(seen), "smooth_1e-3": smooth(seen, 1e-3)}))


def test_smoothing_solves_the_least_squares_that_it_stands_for() -> None:
    rng = np.random.default_rng(1)
    seen = rng.normal(0, 1, (30, 2)).astype(np.float32)
    noise, step = 1e-3, 1e-5
    steps = np.diff(np.eye(30), axis=0)
    system = np.eye(30) / noise + steps.T @ steps / step
    right = seen / noise
    system[0, 0] += 1
    right[0] += seen[0]
    assert smooth(seen, noise) == pytest.approx(np.linalg.solve(system, right), abs=1e-5)


def test_one_frame_and_a_still_one_stay_as_they_are() -> None:
    value = np.full((1, 21, 3), 0.25, np.float32)
    np.testing.assert_array_equal(smooth(value), value)
    np.testing.assert_allclose(smooth(np.repeat(value, 9, 0), 1.0), np.repeat(value, 9, 0))
