import numpy as np
import pytest
from numpy.typing import NDArray

from app.face.smoothing import OneEuro
from tests.unit.face.conftest import MeshMaker

Points = NDArray[np.float32]


@pytest.fixture
def points(make_mesh: MeshMaker) -> Points:
    return make_mesh(size_px=200).points


def eye_px(points: Points) -> float:
    return float(np.linalg.norm(points[263] - points[33]))


def test_the_first_points_and_those_after_a_reset_pass_unchanged(points: Points) -> None:
    smoothing = OneEuro()
    np.testing.assert_array_equal(smoothing.smooth(points, 3.0), points)
    smoothing.reset()
    np.testing.assert_array_equal(smoothing.smooth(points + 50, 3.04), points + 50)
    np.testing.assert_array_equal(smoothing.smooth(points, 1.0), points)  # time went back: a cut


def test_jitter_of_a_resting_face_is_more_than_halved(points: Points) -> None:
    noise = np.random.default_rng(0).normal(0, 0.005 * eye_px(points), (100, 478, 3))
    smoothing = OneEuro()
    jittery = (points + noise).astype(np.float32)
    smooth = np.stack([smoothing.smooth(row, index / 25) for index, row in enumerate(jittery)])
    before, after = (np.abs(np.diff(rows, 2, axis=0)).mean() for rows in (jittery, smooth))
    assert after < 0.4 * before
    assert np.abs(smooth[20:] - points).mean() < np.abs(jittery[20:] - points).mean()


@pytest.mark.parametrize("share", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("fps", [24, 25, 30])
def test_a_step_is_nine_tenths_done_in_its_own_frame(
    points: Points, share: float, fps: int
) -> None:
    smoothing = OneEuro()
    step = np.float32(share * eye_px(points))
    for index in range(30):
        smoothing.smooth(points, index / fps)
    after = smoothing.smooth(points + step, 30 / fps)
    assert ((after - points) / step).min() > 0.9


@pytest.mark.parametrize("fps", [24, 50, 60])
def test_the_frame_rate_hardly_matters(points: Points, fps: int) -> None:
    def smoothed(rate: int) -> NDArray[np.float64]:
        smoothing = OneEuro()
        times_s = np.arange(2 * rate) / rate
        sway = 0.3 * eye_px(points) * np.sin(2 * np.pi * 0.7 * times_s)
        rows = [
            smoothing.smooth(points + np.float32(shift), float(time_s))[1, 0]
            for shift, time_s in zip(sway, times_s, strict=True)
        ]
        return np.asarray(np.interp(np.arange(0.5, 1.9, 0.05), times_s, rows), np.float64)

    difference = np.abs(smoothed(fps) - smoothed(25)).max()
    assert difference < 0.02 * eye_px(points)


def test_size_and_place_do_not_matter(points: Points) -> None:
    rows = points + np.random.default_rng(1).normal(0, 1, (10, 478, 3)).astype(np.float32)
    one, other = OneEuro(), OneEuro()
    for index, row in enumerate(rows):
        small = one.smooth(row, index / 25)
        large = other.smooth(row * 4 + 100, index / 25)
    np.testing.assert_allclose(large, small * 4 + 100, rtol=1e-4)


def test_the_callers_points_stay_as_they_are(points: Points) -> None:
    smoothing = OneEuro()
    before = points.copy()
    first = smoothing.smooth(points, 0)
    first += 10
    smoothing.smooth(points, 0.04)
    np.testing.assert_array_equal(points, before)
    np.testing.assert_array_equal(smoothing.smooth(points, 0.08), before)
