import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.face.detector import Array, Detection
from app.face.mesh import MeshFitter, Region
from tests.unit.face.conftest import MeshMaker


def test_a_region_is_the_longer_side_half_as_large_again_along_the_eyes() -> None:
    points = np.zeros((6, 2), np.float32)
    points[1] = (10, 10)
    face = Detection(np.array([10, 20, 50, 80], np.float32), points, 1.0)
    region = Region.of_detection(face)
    assert (region.x, region.y, region.side) == (30, 50, 90)
    assert math.degrees(region.angle) == pytest.approx(45)


@given(st.floats(-170, 170))
def test_the_region_of_a_mesh_turns_with_it(roll_deg: float) -> None:
    region = Region.of_points(make_circle(roll_deg))
    assert math.degrees(region.angle) == pytest.approx(roll_deg, abs=1e-2)
    assert region.side == pytest.approx(300, rel=1e-3)
    assert (region.x, region.y) == pytest.approx((300, 300), abs=0.1)


def make_circle(roll_deg: float) -> Array:
    around = np.linspace(0, 2 * np.pi, 478, endpoint=False)
    points = 300 + 100 * np.stack([np.cos(around), np.sin(around)], axis=1)
    roll = math.radians(roll_deg)
    eye = np.array([math.cos(roll), math.sin(roll)]) * 50
    points[33], points[263] = 300 - eye, 300 + eye
    return points.astype(np.float32)


def test_points_of_the_crop_map_to_the_turned_square() -> None:
    region = Region(100, 200, 512, math.radians(90))
    corners = np.array([[128, 128, 0], [256, 128, 5], [128, 256, -5]], np.float32)
    mapped = region.to_image(corners)
    # Turned clockwise by a quarter: the crop's right is the image's lower side.
    np.testing.assert_allclose(mapped, [[100, 200, 0], [100, 456, 10], [-156, 200, -10]], atol=1e-3)


@pytest.mark.parametrize("side", [128.0, 256.0, 900.0], ids=["enlarged", "same", "shrunk"])
@pytest.mark.parametrize("angle_deg", [0, 37, 90, -120])
def test_the_crop_shows_what_its_points_map_to(side: float, angle_deg: float) -> None:
    # Channels hold x and y, scaled to use all levels and rounded down: half a level off on average.
    size = round(side * 1.5)
    y, x = np.mgrid[:size, :size] + 0.5
    levels = 255 / size
    pixels = np.stack([x * levels, y * levels, x * 0], axis=2).astype(np.uint8)
    region = Region(size / 2, size / 2, side, math.radians(angle_deg))
    crop_y, crop_x = (axis.ravel() for axis in np.mgrid[:256, :256] + 0.5)
    centres = np.column_stack([crop_x, crop_y, crop_x]).astype(np.float32)
    expected = region.to_image(centres)[:, :2] * levels - 0.5
    inside = ((expected > 2) & (expected < 252)).all(axis=1)
    seen = region.crop(pixels)[:, :, :2].reshape(-1, 2) * 255
    difference = (seen - expected)[inside]
    # Half a pixel of the crop would be 1/3 of a level.
    np.testing.assert_allclose(difference.mean(axis=0), 0, atol=0.1)
    assert np.abs(difference).max() < 2


def test_the_crop_repeats_edges_and_is_in_zero_to_one() -> None:
    crop = Region(0, 0, 400, 0.3).crop(np.full((20, 30, 3), 255, np.uint8))
    assert crop.dtype == np.float32
    np.testing.assert_array_equal(crop, np.ones((256, 256, 3), np.float32))


def test_later_passes_crop_around_the_mesh_before(make_mesh: MeshMaker) -> None:
    class Net:
        calls = 0

        def run(self, image: Array) -> dict[str, Array]:
            self.calls += 1
            inside = make_mesh(size_px=128).points - np.array([172, 172, 0], np.float32)
            logit = np.full((1, 1, 1, 1), self.calls, np.float32)
            return {"Identity": inside.reshape(1, 1, 1, 1434), "Identity_1": logit}

    net = Net()
    fitter = MeshFitter(net, passes=3)
    points, logit = fitter.fit(np.zeros((600, 600, 3), np.uint8), Region(300, 300, 512, 0))
    assert (net.calls, logit) == (3, 3)
    # A mesh of half the crop's side: every pass shrinks the region to 1.5 / 2 of it.
    assert np.ptp(points[:, 0]) == pytest.approx(512 / 2 * 0.75**2, rel=0.02)
