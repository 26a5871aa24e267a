import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from app import topology
from app.pipeline import mouth
from tests.unit.models import mouths

Floats = NDArray[np.float32]


def placed(
    scale: float = 0.4, angle_deg: float = 0.0, at: tuple[float, float] = (100, 110), gap: float = 0
) -> Floats:
    """Return (1, 478, 2), the drawn face shrunk, turned and moved within an image."""
    angle = np.deg2rad(angle_deg)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = (mouths.mesh(gap) - 128) @ turn.T + at
    return points[None].astype(np.float32)


def smooth(height: int = 240, width: int = 200) -> NDArray[np.uint8]:
    """Return (1, H, W, 3), waves long enough to survive interpolation."""
    y, x = np.mgrid[0:height, 0:width] + 0.5
    waves = [128 + 90 * np.sin(x / a + y / b) for a, b in ((17, 23), (-29, 19), (31, 37))]
    return np.stack(waves, axis=2).round().astype(np.uint8)[None]


@given(
    scale=st.floats(0.15, 2.0),
    angle_deg=st.floats(-80, 80),
    x=st.floats(-50, 300),
    y=st.floats(0, 300),
)
@settings(max_examples=50, deadline=None)
def test_crop_is_the_same_whatever_the_faces_place_size_and_tilt(
    scale: float, angle_deg: float, x: float, y: float
) -> None:
    turned, upright = placed(scale, angle_deg, (x, y)), placed()
    in_crop = [mouth.to_crop(p, mouth.crop_transforms(p, 256)) for p in (turned, upright)]
    assert np.allclose(in_crop[0], in_crop[1], atol=0.1)


def test_crop_holds_nose_mouth_and_chin() -> None:
    points = placed()
    seen = mouth.to_crop(points, mouth.crop_transforms(points, 256))[0]
    left, right = (seen[index] for index in topology.MOUTH_CORNERS)
    assert left[1] == pytest.approx(right[1], abs=0.01)
    assert 40 < left[0] < right[0] < 216
    assert 10 < seen[mouth.NOSE_BASE[0]][1] < left[1] < seen[topology.CHIN][1] < 200


def test_crop_stands_still_while_the_mouth_opens() -> None:
    shut, wide = (mouth.crop_transforms(placed(gap=gap), 256) for gap in (0, 30))
    assert (shut == wide).all()


def test_pixel_centres_land_where_points_do() -> None:
    points = placed(0.43, 7, (90.3, 120.8))
    spot = np.array([[[95.3, 133.6]]], np.float32)
    y, x = np.mgrid[0:240, 0:200] + 0.5
    dot = 250 * np.exp(-((x - spot[0, 0, 0]) ** 2 + (y - spot[0, 0, 1]) ** 2) / 18)
    frame = np.repeat(dot.astype(np.uint8)[None, :, :, None], 3, axis=3)
    transforms = mouth.crop_transforms(points, 256)
    crop = mouth.cut(frame, transforms, 256)[0, :, :, 0].astype(np.float64)
    row, column = np.mgrid[0:256, 0:256] + 0.5
    centre = np.array([(crop * column).sum(), (crop * row).sum()]) / crop.sum()
    assert np.allclose(centre, mouth.to_crop(spot, transforms)[0, 0], atol=0.1)


@pytest.mark.parametrize("scale", [0.3, 0.9, 2.2], ids=["enlarged", "same", "reduced"])
def test_a_change_comes_back_to_its_place(scale: float) -> None:
    frame = np.full((1, 700, 700, 3), 60, np.uint8)
    points = placed(scale, 4, (350.3, 350.7))
    transforms = mouth.crop_transforms(points, 256)
    before = mouth.cut(frame, transforms, 256)
    row, column = np.mgrid[0:256, 0:256] + 0.5
    dot = 150 * np.exp(-((column - 140.2) ** 2 + (row - 101.4) ** 2) / 128)
    after = (before + dot[None, :, :, None]).astype(np.uint8)
    change = mouth.blend(frame, before, after, transforms)[0, :, :, 0].astype(np.float64) - 60
    y, x = np.mgrid[0:700, 0:700] + 0.5
    centre = np.array([[[(change * x).sum(), (change * y).sum()]]]) / change.sum()
    seen = mouth.to_crop(centre.astype(np.float32), transforms)[0, 0]
    assert np.allclose(seen, (140.2, 101.4), atol=0.25)


def test_cut_keeps_a_smooth_picture() -> None:
    frame, points = smooth(), placed(0.4, 12)
    transforms = mouth.crop_transforms(points, 256)
    crop = mouth.cut(frame, transforms, 256)
    row, column = np.mgrid[0:256, 0:256] + 0.5
    inverse = np.linalg.inv(transforms[0, :, :2])
    x, y = np.einsum(
        "ij,jyx->iyx", inverse, np.stack([column, row]) - transforms[0, :, 2, None, None]
    )
    expected = 128 + 90 * np.sin(x / 17 + y / 23)
    assert np.abs(crop[0, :, :, 0] - expected).max() < 3


def test_unchanged_crops_leave_frames_bit_exact() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, 240, 200, 3), np.uint8)
    transforms = mouth.crop_transforms(np.concatenate([placed(), placed(angle_deg=9)]), 256)
    crops = mouth.cut(frames, transforms, 256)
    blended = mouth.blend(frames, crops, crops.copy(), transforms)
    assert (blended == frames).all()
    assert blended is not frames


def test_only_the_crop_changes_and_its_border_fades() -> None:
    frames = np.full((1, 240, 200, 3), 100, np.uint8)
    transforms = mouth.crop_transforms(placed(angle_deg=5), 256)
    crops = mouth.cut(frames, transforms, 256)
    change = mouth.blend(frames, crops, crops + 80, transforms)[0, :, :, 0].astype(int) - 100
    y, x = np.mgrid[0:240, 0:200] + 0.5
    seen = mouth.to_crop(np.stack([x, y], axis=2).reshape(1, -1, 2).astype(np.float32), transforms)
    depth = np.minimum(seen, 256 - seen).min(axis=2).reshape(240, 200)
    assert (change[depth < 0] == 0).all()
    assert (change[depth > 40] == 80).all()
    assert change[(depth > 0) & (depth < 3)].max() < 15


def test_additions_saturate() -> None:
    frames = np.full((1, 240, 200, 3), 250, np.uint8)
    transforms = mouth.crop_transforms(placed(), 256)
    crops = mouth.cut(frames, transforms, 256)
    brighter = mouth.blend(frames, np.zeros_like(crops), np.full_like(crops, 90), transforms)
    assert brighter.max() == 255
    assert brighter.min() == 250


@pytest.mark.parametrize("at", [(0, 0), (199, 120), (100, 239), (-400, 100), (100, 900)])
@pytest.mark.parametrize("angle_deg", [0.0, 30.0])
def test_crops_outside_the_image_work(at: tuple[float, float], angle_deg: float) -> None:
    frames, transforms = smooth(), mouth.crop_transforms(placed(0.4, angle_deg, at), 256)
    crops = mouth.cut(frames, transforms, 256)
    assert crops.shape == (1, 256, 256, 3)
    blended = mouth.blend(frames, crops, 255 - crops, transforms)
    assert blended.shape == frames.shape
    whole = cv2.copyMakeBorder(frames[0], 300, 300, 300, 300, cv2.BORDER_REPLICATE)[None]
    if abs(at[0]) < 300 and abs(at[1]) < 300:
        moved = transforms.copy()
        moved[:, :, 2] -= transforms[:, :, :2] @ np.array([300, 300], np.float32)
        assert np.abs(crops.astype(int) - mouth.cut(whole, moved, 256)).max() <= 2


def test_reduction_does_not_alias() -> None:
    frame = np.zeros((1, 900, 900, 3), np.uint8)
    frame[:, :, ::2] = 255
    crops = mouth.cut(frame, mouth.crop_transforms(placed(3.0, 0, (450, 450)), 96), 96)
    assert np.ptp(crops[0, 20:-20, 20:-20].astype(int)) < 12


@pytest.mark.parametrize("crop_px", [96, 256])
def test_transforms_scale_with_the_crop(crop_px: int) -> None:
    points = placed()
    small = mouth.to_crop(points, mouth.crop_transforms(points, crop_px))
    large = mouth.to_crop(points, mouth.crop_transforms(points, 2 * crop_px))
    assert np.allclose(2 * small, large, atol=1e-2)


@pytest.mark.parametrize(
    ("scale", "side"), [(0.1, 128), (0.38, 128), (0.42, 192), (0.8, 256), (1.1, 384), (9.0, 512)]
)
def test_the_crop_is_as_large_as_the_face_asks_for(scale: float, side: int) -> None:
    points = placed(scale)
    face = mouth.LowerFace(512, 128, 256, 384, 192)
    transforms = face.place(points)
    assert face.cut(smooth(), transforms).shape == (1, side, side, 3)
    assert (transforms == mouth.crop_transforms(points, side)).all()


def test_a_session_keeps_the_size_of_its_first_crop() -> None:
    face = mouth.LowerFace(128, 256)
    sides = [face.cut(smooth(), face.place(placed(scale))).shape[1] for scale in (0.3, 0.9)]
    assert sides == [128, 128]
