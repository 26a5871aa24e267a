import threading

import numpy as np
import pytest
from numpy.typing import NDArray

from app import topology
from app.face.analyzer import FaceAnalyzer
from app.face.choice import choose, face_px
from app.face.config import FaceConfig
from app.face.mesh import Region
from app.face.nets import FaceNets
from app.face.turns import roll_deg, turn_points
from app.values import FaceMesh

Image = NDArray[np.uint8]


def error(found: FaceMesh, expected: NDArray[np.float32]) -> float:
    """Return the mean distance of the points over the distance of the eyes' outer corners."""
    eyes = expected[topology.LEFT_EYE_OUTER, :2] - expected[topology.RIGHT_EYE_OUTER, :2]
    distance = np.linalg.norm(found.points[:, :2] - expected[:, :2], axis=1).mean()
    return float(distance / np.linalg.norm(eyes))


def test_the_astronauts_mesh_lies_on_her_face(astronaut_mesh: FaceMesh) -> None:
    points = astronaut_mesh.points
    assert points.shape == (478, 3)
    assert points.dtype == np.float32
    assert astronaut_mesh.score > 0.99
    assert face_px(points) == pytest.approx(109, abs=4)
    # Read off the picture by hand.
    for index, x, y in (
        (topology.LEFT_IRIS[0], 204, 101),
        (topology.RIGHT_IRIS[0], 247, 103),
        (topology.MOUTH_CORNERS[0], 204, 140),
        (topology.MOUTH_CORNERS[1], 244, 141),
        (topology.CHIN, 224, 178),
    ):
        np.testing.assert_allclose(points[index, :2], (x, y), atol=3)
    assert points[topology.NOSE_TIP, 2] < points[topology.LEFT_CHEEK, 2]


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_photo_on_its_side_or_head_gives_the_same_mesh(
    analyzer: FaceAnalyzer, astronaut: Image, astronaut_mesh: FaceMesh, turns: int
) -> None:
    cut = astronaut[:, :400]
    (found,) = analyzer.analyze(np.ascontiguousarray(np.rot90(cut, turns)))
    expected = turn_points(astronaut_mesh.points, turns, 512, 400)
    assert error(found, expected) < 0.02
    np.testing.assert_allclose(found.blendshapes, astronaut_mesh.blendshapes, atol=0.1)


def test_a_tilted_photo_keeps_its_tilt(analyzer: FaceAnalyzer, astronaut: Image) -> None:
    import cv2

    matrix = cv2.getRotationMatrix2D((224, 140), -135, 1)
    matrix[:, 2] += 60
    (found,) = analyzer.analyze(np.asarray(cv2.warpAffine(astronaut, matrix, (512, 512)), np.uint8))
    assert roll_deg(found.points) == pytest.approx(138, abs=4)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((256, 256, 3), np.uint8),
        np.full((256, 256, 3), 255, np.uint8),
        np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8),
        np.zeros((1, 1, 3), np.uint8),
        np.zeros((7, 900, 3), np.uint8),
    ],
    ids=["black", "white", "noise", "one pixel", "a strip"],
)
def test_no_face_is_found_where_there_is_none(analyzer: FaceAnalyzer, pixels: Image) -> None:
    assert analyzer.analyze(pixels) == []


def test_two_faces_come_largest_first(analyzer: FaceAnalyzer, astronaut: Image) -> None:
    import cv2

    face = astronaut[:256, 96:352]
    large = np.asarray(cv2.resize(face, (512, 512), interpolation=cv2.INTER_CUBIC), np.uint8)
    small = np.zeros((512, 256, 3), np.uint8)
    small[:256] = face
    first, second = analyzer.analyze(np.hstack([small, large]))
    assert face_px(first.points) == pytest.approx(2 * face_px(second.points), rel=0.05)
    assert first.points[topology.NOSE_TIP, 0] > 256 > second.points[topology.NOSE_TIP, 0]
    assert choose([first, second], 1) is second


def test_a_face_in_a_wide_scene_is_found(analyzer: FaceAnalyzer, astronaut: Image) -> None:
    scene = np.full((720, 1280, 3), 128, np.uint8)
    scene[100:612, 500:1012] = astronaut
    (found,) = analyzer.analyze(scene)
    np.testing.assert_allclose(found.points[topology.NOSE_TIP, :2], (726, 232), atol=6)


def scene(astronaut: Image, face_px: float, width: int, height: int, x: int, y: int) -> Image:
    """Return a grey picture with the astronaut at (x, y), her face `face_px` high."""
    import cv2

    scale = face_px / 109
    size = (round(512 * scale), round(512 * scale))
    small = cv2.resize(astronaut, size, interpolation=cv2.INTER_AREA)
    picture = np.full((height, width, 3), 128, np.uint8)
    picture[y : y + size[1], x : x + size[0]] = small
    return picture


@pytest.mark.parametrize("size_px", [40, 64])
@pytest.mark.parametrize(
    ("width", "height", "x", "y"),
    [(1280, 720, 420, 300), (1280, 720, 900, 20), (4000, 3000, 1500, 1300), (4000, 3000, 3600, 9)],
)
def test_a_small_face_in_a_large_photo_is_found_with_its_size(
    analyzer: FaceAnalyzer, astronaut: Image, size_px: int, width: int, height: int, x: int, y: int
) -> None:
    (found,) = analyzer.analyze(scene(astronaut, size_px, width, height, x, y))
    assert face_px(found.points) == pytest.approx(size_px, rel=0.06)
    nose = (x + 226 * size_px / 109, y + 132 * size_px / 109)
    np.testing.assert_allclose(found.points[topology.NOSE_TIP, :2], nose, atol=0.06 * size_px)


def test_tiles_alone_show_small_faces_and_no_large_one(
    analyzer: FaceAnalyzer, astronaut: Image
) -> None:
    import cv2

    picture = scene(astronaut, 40, 4000, 3000, 1500, 1300)
    (found,) = analyzer.search_tiles(picture)
    assert face_px(found.points) == pytest.approx(40, rel=0.06)
    large = cv2.resize(astronaut, (3000, 3000), interpolation=cv2.INTER_CUBIC)
    assert analyzer.search_tiles(np.asarray(large, np.uint8)) == []


def test_a_large_photo_gives_the_mesh_of_its_copy(
    analyzer: FaceAnalyzer, astronaut: Image, astronaut_mesh: FaceMesh
) -> None:
    import cv2

    large = np.asarray(cv2.resize(astronaut, (3000, 3000), interpolation=cv2.INTER_CUBIC), np.uint8)
    (found,) = analyzer.analyze(large)
    assert error(found, astronaut_mesh.points[:, :2] * np.float32(3000 / 512)) < 0.02


def test_pictures_without_faces_have_none_on_their_tiles_either(analyzer: FaceAnalyzer) -> None:
    import cv2
    from skimage import data

    pictures = (data.coffee(), data.chelsea())  # type: ignore[no-untyped-call]
    for picture in pictures:  # a cup, a cat
        large = cv2.resize(picture, (1920, 1080), interpolation=cv2.INTER_CUBIC)
        assert analyzer.analyze(np.asarray(large, np.uint8)) == []


def test_the_face_in_a_region_is_fitted_and_none_where_there_is_none(
    analyzer: FaceAnalyzer, astronaut: Image, astronaut_mesh: FaceMesh
) -> None:
    region = Region.of_points(astronaut_mesh.points)
    fitted = analyzer.fit(astronaut, region)
    assert fitted is not None
    assert error(fitted, astronaut_mesh.points[:, :2]) < 0.02
    assert analyzer.fit(np.full_like(astronaut, 128), region) is None
    (glanced,) = analyzer.glance(astronaut)
    assert error(glanced, astronaut_mesh.points[:, :2]) < 0.01


def test_threads_do_not_disturb_each_other(
    analyzer: FaceAnalyzer, astronaut: Image, astronaut_mesh: FaceMesh
) -> None:
    found: list[FaceMesh] = []
    workers = [
        threading.Thread(target=lambda: found.extend(analyzer.analyze(astronaut))) for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(found) == 4
    for mesh in found:
        np.testing.assert_array_equal(mesh.points, astronaut_mesh.points)


def test_max_faces_bounds_the_answer(nets: FaceNets, astronaut: Image) -> None:
    pair = np.hstack([astronaut, astronaut])
    assert len(FaceAnalyzer(nets, FaceConfig()).analyze(pair)) == 2
    assert len(FaceAnalyzer(nets, FaceConfig(max_faces=1)).analyze(pair)) == 1


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8, 8, 3), np.float32),
        np.zeros((0, 8, 3), np.uint8),
    ],
    ids=["grey", "alpha", "float", "empty"],
)
def test_other_arrays_are_a_bug_of_the_caller(analyzer: FaceAnalyzer, pixels: Image) -> None:
    for look in (analyzer.analyze, analyzer.search_tiles):
        with pytest.raises(ValueError, match="want"):
            look(pixels)
