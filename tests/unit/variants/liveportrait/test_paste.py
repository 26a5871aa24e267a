import math

import numpy as np
import pytest
from numpy.typing import NDArray

from app.variants.liveportrait.crop import SOURCE, cut, inverse, moved, squares
from app.variants.liveportrait.paste import feather, mesh_transform, paste, place, resized
from tests.parity import Fixture
from tests.unit.variants.liveportrait.parity import check

Floats = NDArray[np.float32]


def similarity(zoom: float, x: float, y: float) -> Floats:
    return np.array([[zoom, 0, x], [0, zoom, y], [0, 0, 1]], np.float32)


def smooth_picture(height: int, width: int) -> NDArray[np.uint8]:
    y, x = np.mgrid[:height, :width] / max(height, width)
    waves = [127 + 100 * np.sin(5 * x + 3 * y + phase) for phase in range(3)]
    return np.stack(waves, axis=2).astype(np.uint8)


def test_paste_equals_the_published() -> None:
    fixture = Fixture("crop")
    picture = fixture.inputs["picture"]
    back = inverse(squares(fixture.inputs["pt203"][None], SOURCE).matrices())[0]
    mask = (fixture.inputs["mask"][:, :, 0] / 255).astype(np.float32)
    placement = place(picture, back, mask)
    shown = np.zeros(picture.shape, np.float32)
    shown[placement.rows, placement.columns] = placement.mask
    (result,) = paste(placement, [fixture.inputs["face"]])
    check(fixture.compare({"paste.mask": shown, "paste.result": result}))


def test_feather_follows_its_formula() -> None:
    mask = feather()
    assert mask.shape == (512, 512)
    assert (mask[16:497, 16:497] == 1).all()
    for y, x in ((0, 256), (5, 300), (3, 4), (511, 256), (505, 508), (13, 13)):
        beyond = [max(0, 16 - place, place - 496) for place in (y, x)]
        share = max(0.0, 1 - math.hypot(*beyond) / 16)
        assert mask[y, x] == np.float32(np.floor(255 * share) / 255)


@pytest.mark.parametrize("zoom", [0.2, 0.5, 1.0, 1.1])
def test_a_crop_pasted_as_it_was_cut_changes_nothing_to_see(zoom: float) -> None:
    picture = smooth_picture(600, 700)
    back = similarity(zoom, 40.3, 20.7)
    crop = cut([picture], inverse(back[None]))[0]
    (frame,) = paste(place(picture, back, feather()), [crop])
    assert np.abs(frame.astype(int) - picture).max() <= 4


def test_a_still_face_in_place_keeps_every_level() -> None:
    picture = smooth_picture(512, 512)
    (frame,) = paste(place(picture, similarity(1, 0, 0), feather()), [picture])
    np.testing.assert_array_equal(frame, picture)


def test_only_the_crops_part_changes_and_frames_do_not_share_memory() -> None:
    picture = smooth_picture(300, 400)
    before = picture.copy()
    placement = place(picture, similarity(0.25, 100, 80), feather())
    faces = [np.full((512, 512, 3), level, np.uint8) for level in (0, 255)]
    dark, light = paste(placement, faces)
    np.testing.assert_array_equal(picture, before)
    outside = np.ones((300, 400), bool)
    outside[79:210, 99:230] = False
    for frame in (dark, light):
        np.testing.assert_array_equal(frame[outside], picture[outside])
    assert dark[144, 164].tolist() == [0, 0, 0]
    assert light[144, 164].tolist() == [255, 255, 255]


@pytest.mark.parametrize("x", [-900, 900])
def test_a_crop_outside_the_picture_changes_nothing(x: int) -> None:
    picture = smooth_picture(60, 80)
    placement = place(picture, similarity(0.5, x, 0), feather())
    (frame,) = paste(placement, [np.zeros((512, 512, 3), np.uint8)])
    np.testing.assert_array_equal(frame, picture)


def test_a_resized_picture_holds_the_crop_in_the_same_place() -> None:
    back = similarity(0.5, 30, 10)
    corner_px = np.array([[[-0.5, -0.5]]], np.float32)
    # The crop's outer corner lies 30.25 and 10.25 px from the picture's.
    there = moved(corner_px, resized(back, 2, 4)[None])[0, 0]
    assert there + 0.5 == pytest.approx((2 * 30.25, 4 * 10.25))


def test_mesh_coordinates_go_through_a_matrix_half_a_pixel_on() -> None:
    matrix = similarity(2, 5, 7)
    whole = np.array([[[3, 4]]], np.float32)
    half = moved(whole + 0.5, mesh_transform(matrix)[None])
    assert half[0, 0] - 0.5 == pytest.approx(moved(whole, matrix[None])[0, 0])
