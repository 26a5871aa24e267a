"""The published landmark net's border, with stand-ins for it: small nets with its inputs."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from app.errors import WeightsError
from app.face.analyzer import FaceAnalyzer
from app.variants.liveportrait.crop import LANDMARKS, SOURCE, moved, squares
from app.variants.liveportrait.landmark_net import INPUT_PX, LandmarkNet, find_landmarks
from app.variants.liveportrait.landmarks import LAYOUTS, mesh_landmarks, mesh_points
from app.variants.liveportrait.ratios import eye_ratios, lip_ratios
from app.weights.store import WeightStore
from tests.fake_face import fake_mesh

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]
INPUT = (1, 3, INPUT_PX, INPUT_PX)
SET, MESH = LAYOUTS[203], LAYOUTS[478]


def save(
    file: Path,
    nodes: Sequence[onnx.NodeProto],
    constants: Mapping[str, NDArray[np.float32] | NDArray[np.int64]],
    outputs: Sequence[str],
    taken: tuple[str, tuple[int, ...]] = ("input", INPUT),
) -> Path:
    """Write a net whose `outputs` are among what its nodes or constants give."""
    name, shape = taken
    graph = helper.make_graph(
        [*nodes, helper.make_node("Identity", [name], ["image"])],
        "stand-in",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None) for output in outputs],
        [numpy_helper.from_array(array, key) for key, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, file)
    return file


def answering(file: Path, points: Floats) -> LandmarkNet:
    """Return a net that finds the same points in every crop: (203, 2) of the crop's side."""
    nodes = [helper.make_node("Identity", ["constant"], ["points"])]
    constants = {"constant": points.reshape(1, -1)}
    return LandmarkNet(save(file, nodes, constants, ["image", "image", "points"]))


def finding_red(file: Path) -> LandmarkNet:
    """Return a net whose points all are the centre of what is red in the crop."""
    y, x = np.mgrid[:INPUT_PX, :INPUT_PX].reshape(2, -1) / INPUT_PX
    places = np.zeros((3, INPUT_PX**2, 3), np.float32)
    places[0] = np.stack([x, y, np.ones_like(x)], axis=1)
    nodes = [
        helper.make_node("Flatten", ["input"], ["flat"]),
        helper.make_node("MatMul", ["flat", "places"], ["sums"]),
        helper.make_node("Split", ["sums", "parts"], ["place", "all"], axis=1),
        helper.make_node("Div", ["place", "all"], ["centre"]),
        helper.make_node("Tile", ["centre", "repeats"], ["points"]),
    ]
    constants = {
        "places": places.reshape(-1, 3),
        "parts": np.array([2, 1]),
        "repeats": np.array([1, 203]),
    }
    return LandmarkNet(save(file, nodes, constants, ["image", "image", "points"]))


def spots(height: int, width: int, red: Floats, blue: Floats) -> Pixels:
    """Return a black picture with a soft red and a soft blue spot."""
    y, x = np.mgrid[:height, :width]
    picture = np.zeros((height, width, 3), np.uint8)
    for channel, spot in ((0, red), (2, blue)):
        away = (x - spot[0]) ** 2 + (y - spot[1]) ** 2
        picture[..., channel] = np.round(255 * np.exp(-away / 50))
    return picture


def turned_aside(mesh_K2: Floats, share: float) -> Floats:
    """Return the mesh of a head seen from aside: narrower, its nose off the middle."""
    middle = mesh_K2.mean(axis=0)
    return np.asarray((mesh_K2 - middle) * (share, 1) + middle, np.float32)


@pytest.mark.parametrize("size", [(400, 400), (300, 640), (640, 300)], ids=str)
@pytest.mark.parametrize("roll_deg", [0.0, 35.0, -80.0])
@pytest.mark.parametrize("share", [1.0, 0.6], ids=["frontal", "aside"])
def test_what_the_net_finds_lies_there_in_the_picture(
    tmp_path: Path, size: tuple[int, int], roll_deg: float, share: float
) -> None:
    height, width = size
    mesh = mesh_points(fake_mesh((width / 2, height / 2), 180, roll_deg).points)
    mesh = turned_aside(mesh, share)
    red, blue = mesh[list(MESH.left_eye)].mean(0), mesh[list(MESH.mouth)].mean(0)
    points = finding_red(tmp_path / "net.onnx")(spots(height, width, red, blue), mesh)
    assert points.shape == (203, 2)
    assert points.dtype == np.float32
    assert np.abs(points - red).max() < 0.1


def test_points_go_back_by_the_crop_that_the_mesh_frames(tmp_path: Path) -> None:
    mesh = mesh_points(fake_mesh((310, 140), 150, 20).points)
    known = np.random.default_rng(0).random((203, 2), np.float32)
    points = answering(tmp_path / "net.onnx", known)(np.zeros((280, 500, 3), np.uint8), mesh)
    back = moved(points[None], squares(mesh[None], LANDMARKS).matrices(INPUT_PX))[0]
    assert back == pytest.approx(known * INPUT_PX, abs=1e-3)


def test_white_is_one(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("ReduceMax", ["input"], ["most"], axes=[0, 1, 2, 3]),
        helper.make_node("Reshape", ["most", "one"], ["flat"]),
        helper.make_node("Tile", ["flat", "repeats"], ["points"]),
    ]
    constants = {"one": np.array([1, 1]), "repeats": np.array([1, 406])}
    file = save(tmp_path / "net.onnx", nodes, constants, ["image", "image", "points"])
    mesh = mesh_points(fake_mesh((200, 200), 150).points)
    points = LandmarkNet(file)(np.full((400, 400, 3), 255, np.uint8), mesh)
    corner = moved(points[None], squares(mesh[None], LANDMARKS).matrices(INPUT_PX))[0]
    assert corner == pytest.approx(np.full((203, 2), INPUT_PX), abs=1e-3)


@pytest.mark.parametrize(
    ("outputs", "count", "said"),
    [
        (["points"], 406, "it has 1 outputs"),
        (["image", "image", "points"], 212, r"its points are of shape \(1, 212\)"),
    ],
    ids=["one output", "106 points"],
)
def test_another_net_is_told_at_start(
    tmp_path: Path, outputs: list[str], count: int, said: str
) -> None:
    nodes = [helper.make_node("Identity", ["constant"], ["points"])]
    constants = {"constant": np.zeros((1, count), np.float32)}
    file = save(tmp_path / "landmark.onnx", nodes, constants, outputs)
    with pytest.raises(WeightsError, match=rf"landmark\.onnx is not .*: {said}") as caught:
        LandmarkNet(file)
    assert "python -m app.weights fetch liveportrait" in caught.value.hint


@pytest.mark.parametrize("taken", [("data", INPUT), ("input", (1, 3, 192, 192))], ids=str)
def test_a_net_of_another_input_is_told_at_start(
    tmp_path: Path, taken: tuple[str, tuple[int, ...]]
) -> None:
    nodes = [helper.make_node("Identity", ["constant"], ["points"])]
    constants = {"constant": np.zeros((1, 406), np.float32)}
    outputs = ["image", "image", "points"]
    file = save(tmp_path / "net.onnx", nodes, constants, outputs, taken)
    with pytest.raises(WeightsError, match="not the published net"):
        LandmarkNet(file)


def test_what_is_no_net_is_told_at_start(tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    file.write_bytes(b"no net")
    with pytest.raises(WeightsError, match="not the published net"):
        LandmarkNet(file)


def test_without_the_file_the_mesh_itself_is_used() -> None:
    mesh = mesh_points(fake_mesh((200, 200), 150).points)
    assert find_landmarks(None) is mesh_landmarks
    assert mesh_landmarks(np.zeros((400, 400, 3), np.uint8), mesh) is mesh


# Below, on real faces; s36 is an animal's.
PORTRAITS = ["s0", "s3", "s5", "s9", "s12"]


def look(analyzer: FaceAnalyzer, file: Path) -> tuple[Pixels, Floats]:
    """Return a photo and its mesh."""
    photo = np.asarray(cv2.cvtColor(np.asarray(cv2.imread(str(file))), cv2.COLOR_BGR2RGB), np.uint8)
    return photo, mesh_points(analyzer.analyze(photo)[0].points)


def as_published(mesh_K2: Floats) -> Floats:
    """Return 203 points: where the mesh has the same point, there; elsewhere on its outline."""
    assert MESH.outline is not None
    points = np.resize(mesh_K2[list(MESH.outline)], (203, 2))
    for ours, theirs in (
        (MESH.left_lids, SET.left_lids),
        (MESH.right_lids, SET.right_lids),
        (MESH.lips, SET.lips),
    ):
        assert ours is not None
        assert theirs is not None
        points[list(theirs)] = mesh_K2[list(ours)]
    return points


@pytest.mark.parametrize("name", PORTRAITS)
def test_the_same_face_in_203_points_is_cropped_and_measured_the_same(
    analyzer: FaceAnalyzer, shared_media: Path, tmp_path: Path, name: str
) -> None:
    photo, mesh = look(analyzer, shared_media / "portraits" / f"{name}.jpg")
    crop = moved(as_published(mesh)[None], squares(mesh[None], LANDMARKS).matrices(INPUT_PX))[0]
    assert crop.min() > 0, "a landmark crop shows the whole face"
    assert crop.max() < INPUT_PX
    points = answering(tmp_path / "net.onnx", crop / INPUT_PX)(photo, mesh)
    ours, theirs = squares(mesh[None], SOURCE), squares(points[None], SOURCE)
    side = float(ours.side[0])
    assert theirs.side[0] == pytest.approx(side, rel=0.01)
    assert theirs.centre[0] == pytest.approx(ours.centre[0], abs=0.01 * side)
    assert theirs.angle_rad()[0] == pytest.approx(ours.angle_rad()[0], abs=0.01)
    assert eye_ratios(points[None]) == pytest.approx(eye_ratios(mesh[None]), abs=1e-3)
    assert lip_ratios(points[None]) == pytest.approx(lip_ratios(mesh[None]), abs=1e-3)


@pytest.mark.parametrize("name", PORTRAITS)
def test_the_published_net_sees_the_face_that_the_mesh_does(
    analyzer: FaceAnalyzer, shared_media: Path, name: str
) -> None:
    file = WeightStore().optional_path("liveportrait/landmark.onnx")
    if file is None:
        pytest.skip("no landmark.onnx; run: python -m app.weights fetch liveportrait")
    photo, mesh = look(analyzer, shared_media / "portraits" / f"{name}.jpg")
    points = LandmarkNet(file)(photo, mesh)
    ours, theirs = squares(mesh[None], SOURCE), squares(points[None], SOURCE)
    side = float(ours.side[0])
    assert theirs.side[0] == pytest.approx(side, rel=0.1)
    assert theirs.centre[0] == pytest.approx(ours.centre[0], abs=0.05 * side)
    assert SET.left_lids is not None
    assert SET.right_lids is not None
    assert SET.lips is not None
    shared = [*SET.left_lids, *SET.right_lids, *SET.lips]
    assert points[shared] == pytest.approx(as_published(mesh)[shared], abs=0.03 * side)
    eyes = eye_ratios(points[None])
    assert ((eyes > 0.15) & (eyes < 0.6)).all()
    assert lip_ratios(points[None])[0, 0] < 0.1
