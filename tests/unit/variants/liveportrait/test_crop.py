from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.variants.liveportrait.crop import (
    DRIVING,
    LANDMARKS,
    SOURCE,
    Framing,
    Squares,
    cut,
    inverse,
    mean_square,
    moved,
    squares,
)
from tests.parity import Fixture
from tests.unit.variants.liveportrait.parity import check

Floats = NDArray[np.float32]


@pytest.fixture(scope="module")
def fixture() -> Fixture:
    return Fixture("crop")


# Of the fixture's crops: its points, how the face is framed, the crop's side. The published code
# loses `vx` on the way, so its crop with one is that without.
CROPS: dict[str, tuple[str, Framing, int]] = {
    "source_203": ("pt203", SOURCE, 512),
    "source_203_norot": ("pt203", SOURCE, 512),
    "source_203_vx": ("pt203", SOURCE, 512),
    "source_106": ("pt106", SOURCE, 512),
    "landmark_106": ("pt106", LANDMARKS, 224),
    "landmark_203": ("pt203", LANDMARKS, 224),
    "pt101": ("pt101", SOURCE, 512),
    "pt68": ("pt68", SOURCE, 512),
    "pt9": ("pt9", SOURCE, 512),
    "pt5": ("pt5", SOURCE, 512),
}


@pytest.mark.parametrize("name", CROPS)
def test_crop_equals_the_published(fixture: Fixture, name: str) -> None:
    points_name, framing, crop_px = CROPS[name]
    points = fixture.inputs[points_name][None]
    square = squares(points, framing)
    if name.endswith("norot"):
        square = square.upright()
    matrices = square.matrices(crop_px)
    found: dict[str, NDArray[Any]] = {
        "M_o2c": matrices,
        "M_c2o": inverse(matrices),
        "pt_crop": moved(points, matrices),
        "img_crop": cut([fixture.inputs["picture"]], matrices, crop_px),
    }
    check(fixture.compare({f"{name}.{key}": value[0] for key, value in found.items()}))


def test_driving_boxes_equal_the_published(fixture: Fixture) -> None:
    points = np.stack([fixture.inputs["pt203"], fixture.inputs["pt203b"]])
    framed = squares(points, DRIVING)
    mean = mean_square(framed)
    matrices = mean.matrices()
    found = {
        "center": framed.centre[0],
        "size": framed.side[:1].repeat(2),
        "angle": framed.angle_rad()[0],
        "bbox": framed.upright().corners()[0],
        "bbox_rot": framed.corners()[0],
        "average_bbox": mean.corners()[0, [0, 2]].reshape(4),
        "M_o2c": matrices[0],
        "M_c2o": inverse(matrices)[0],
        "lmk_crop": moved(points[:1], matrices)[0],
        "img_crop": cut([fixture.inputs["picture"]], matrices)[0],
    }
    check(fixture.compare({f"driving.{key}": value for key, value in found.items()}))


def test_points_through_a_matrix_equal_the_published(fixture: Fixture) -> None:
    back = inverse(squares(fixture.inputs["pt203"][None], SOURCE).matrices())
    check(fixture.compare({"transform_pts": moved(fixture.inputs["pt106"][None], back)[0]}))


def test_eyes_alone_frame_a_face_as_published(fixture: Fixture) -> None:
    framing = Framing(scale=1.7, vy=-0.1, mouth=False)
    square = squares(fixture.inputs["pt203"][None], framing)
    found = {"center": square.centre[0], "size": square.side.repeat(2)}
    found["angle"] = square.angle_rad()[0]
    check(fixture.compare({f"eyes_only.{key}": value for key, value in found.items()}))


def test_vx_moves_the_square_along_the_eyes(fixture: Fixture) -> None:
    points = fixture.inputs["pt203"][None]
    plain, shifted = squares(points, SOURCE), squares(points, replace(SOURCE, vx=0.1))
    shift = (shifted.centre - plain.centre)[0]
    assert shift == pytest.approx(0.1 * plain.side[0] * plain.right[0], abs=1e-3)


@given(st.floats(-180, 180), st.floats(0.3, 4), st.floats(-300, 300))
def test_a_crop_follows_its_face_wherever_it_goes(
    fixture: Fixture, angle: float, zoom: float, shift: float
) -> None:
    points = fixture.inputs["pt203"][None]
    radians = np.deg2rad(angle)
    turn = zoom * np.array(
        [[np.cos(radians), -np.sin(radians)], [np.sin(radians), np.cos(radians)]]
    )
    elsewhere = (points @ turn.T + shift).astype(np.float32)
    here, there = (moved(p, squares(p, SOURCE).matrices()) for p in (points, elsewhere))
    assert np.abs(here - there).max() < 0.05


def test_frames_are_framed_each_by_itself(fixture: Fixture) -> None:
    points = np.stack([fixture.inputs["pt203"], fixture.inputs["pt203b"]])
    together = squares(points, SOURCE).matrices()
    alone = np.concatenate([squares(points[i : i + 1], SOURCE).matrices() for i in range(2)])
    np.testing.assert_allclose(together, alone, rtol=1e-5)


def test_points_in_one_place_give_an_upright_square() -> None:
    points = np.full((1, 5, 2), 40, np.float32)
    points[0, 2] = (40, 41)
    assert squares(points, SOURCE).right[0] == pytest.approx([1, 0])


def test_corners_become_the_corners_of_the_crop() -> None:
    right = np.array([[0.6, 0.8]], np.float32)
    square = Squares(np.array([[30, 50]], np.float32), np.array([64], np.float32), right)
    corners = moved(square.corners(), square.matrices(512))[0]
    assert corners == pytest.approx(np.array([[0, 0], [512, 0], [512, 512], [0, 512]]), abs=1e-3)
