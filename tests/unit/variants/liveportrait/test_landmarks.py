"""Our face mesh in place of the published 203 points, on real faces."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.face.analyzer import FaceAnalyzer
from app.variants.liveportrait.crop import CROP_PX, SOURCE, mean_square, moved, squares
from app.variants.liveportrait.landmarks import LAYOUTS, layout_of, mesh_points
from app.variants.liveportrait.ratios import eye_ratios, lip_ratios

Floats = NDArray[np.float32]
# s36 is an animal's.
PORTRAITS = ["s0", "s3", "s5", "s9", "s12"]
MESH = LAYOUTS[478]


def mesh_of(analyzer: FaceAnalyzer, pixels_bgr: NDArray[np.uint8]) -> Floats:
    mesh = analyzer.analyze(np.asarray(cv2.cvtColor(pixels_bgr, cv2.COLOR_BGR2RGB), np.uint8))[0]
    return mesh_points(mesh.points)[None]


def read(file: Path) -> NDArray[np.uint8]:
    return np.asarray(cv2.imread(str(file)), np.uint8)


@pytest.mark.parametrize("name", PORTRAITS)
def test_a_portraits_crop_is_upright_and_shows_the_whole_head(
    analyzer: FaceAnalyzer, shared_media: Path, name: str
) -> None:
    points = mesh_of(analyzer, read(shared_media / "portraits" / f"{name}.jpg"))
    crop = moved(points, squares(points, SOURCE).matrices())[0]
    left, right = crop[list(MESH.left_eye)].mean(0), crop[list(MESH.right_eye)].mean(0)
    mouth = crop[list(MESH.mouth)].mean(0)
    middle = (left + right) / 2
    # The line from eyes to mouth is the crop's upright, as published; eyes are level but for how
    # far the face itself, or its painter, departs from a right angle.
    assert mouth[0] - middle[0] == pytest.approx(0, abs=0.05)
    assert abs(right[1] - left[1]) < 0.02 * CROP_PX
    assert 0.17 < np.linalg.norm(right - left) / CROP_PX < 0.25
    assert 0.4 < middle[1] / CROP_PX < 0.55
    assert 0.6 < mouth[1] / CROP_PX < 0.75


@pytest.mark.parametrize("name", PORTRAITS)
def test_open_eyes_and_shut_lips_measure_as_such(
    analyzer: FaceAnalyzer, shared_media: Path, name: str
) -> None:
    points = mesh_of(analyzer, read(shared_media / "portraits" / f"{name}.jpg"))
    eyes = eye_ratios(points)
    assert ((eyes > 0.25) & (eyes < 0.55)).all()
    assert lip_ratios(points)[0, 0] < 0.03


def test_a_published_crop_is_cropped_to_itself(analyzer: FaceAnalyzer, shared_media: Path) -> None:
    """`d0` looks like a 512 px crop of the published cropper: black beyond the picture's end."""
    video = cv2.VideoCapture(str(shared_media / "driving" / "d0.mp4"))
    frames = [video.read()[1] for _ in range(31)][::15]
    points = np.concatenate([mesh_of(analyzer, np.asarray(frame, np.uint8)) for frame in frames])
    square = mean_square(squares(points, SOURCE))
    assert square.side[0] == pytest.approx(512, rel=0.05)
    assert square.centre[0] == pytest.approx((256, 256), abs=5)


def test_left_is_left_in_every_set() -> None:
    rng = np.random.default_rng(0)
    for count, layout in LAYOUTS.items():
        assert layout_of(np.zeros((1, count, 2))) is layout
        named = [*layout.left_eye, *layout.right_eye, *layout.mouth]
        assert len(set(named)) == len(named)
        assert max(named) < count
        # A face with its eyes apart and its mouth below stands upright.
        points = rng.normal(0, 0.01, (1, count, 2)).astype(np.float32)
        points[:, list(layout.left_eye)] += (-1, -1)
        points[:, list(layout.right_eye)] += (1, -1)
        points[:, list(layout.mouth)] += (0, 1)
        assert squares(points, SOURCE).angle_rad()[0] == pytest.approx(0, abs=0.05)


def test_mesh_points_move_to_whole_pixel_centres() -> None:
    first_pixel = np.full((478, 3), 0.5, np.float32)
    assert (mesh_points(first_pixel) == 0).all()
    assert mesh_points(first_pixel).shape == (478, 2)
