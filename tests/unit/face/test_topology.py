import numpy as np
import pytest

from app import topology
from app.topology import Indices
from app.values import MESH_POINTS, FaceMesh

PATHS = {
    name: value
    for name, value in vars(topology).items()
    if name.isupper() and isinstance(value, tuple)
}


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS.keys())
def test_a_path_names_existing_points_once(path: Indices) -> None:
    assert len(set(path)) == len(path)
    assert all(0 <= index < MESH_POINTS for index in path)


@pytest.mark.parametrize("name", ["OUTER_LIP", "INNER_LIP", "LEFT_EYE", "RIGHT_EYE"])
def test_upper_and_lower_paths_pair_up_between_shared_corners(name: str) -> None:
    upper, lower = PATHS[f"{name}_UPPER"], PATHS[f"{name}_LOWER"]
    assert len(upper) == len(lower)
    assert (upper[0], upper[-1]) == (lower[0], lower[-1])


@pytest.mark.parametrize("name", ["OUTER_LIP", "INNER_LIP", "LEFT_EYE", "RIGHT_EYE"])
def test_upper_lies_above_lower_and_paths_run_to_the_right(
    name: str, astronaut_mesh: FaceMesh
) -> None:
    upper = astronaut_mesh.points[list(PATHS[f"{name}_UPPER"]), :2]
    lower = astronaut_mesh.points[list(PATHS[f"{name}_LOWER"]), :2]
    assert (upper[1:-1, 1] < lower[1:-1, 1]).all()
    assert (np.diff(upper[:, 0]) > 0).all()
    assert (np.diff(lower[:, 0]) > 0).all()


@pytest.mark.parametrize(
    "name", ["OUTER_LIPS", "INNER_LIPS", "LEFT_EYE_RING", "RIGHT_EYE_RING", "FACE_OVAL"]
)
def test_rings_run_clockwise_as_seen(name: str, astronaut_mesh: FaceMesh) -> None:
    x, y = astronaut_mesh.points[list(PATHS[name]), :2].T
    # Shoelace formula; y points down, so a positive area is clockwise as seen.
    assert np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) > 0


def test_left_is_left_in_the_image(astronaut_mesh: FaceMesh) -> None:
    x = astronaut_mesh.points[:, 0]
    assert (np.diff(x[list(topology.EYE_CORNERS)]) > 0).all()
    assert x[list(topology.LEFT_IRIS)].max() < x[list(topology.RIGHT_IRIS)].min()
    assert x[topology.LEFT_CHEEK] < x[topology.NOSE_TIP] < x[topology.RIGHT_CHEEK]
    assert (np.diff(x[list(topology.JAW)]) > 0).mean() > 0.8


def test_brows_lie_above_eyes(astronaut_mesh: FaceMesh) -> None:
    y = astronaut_mesh.points[:, 1]
    for side in ("LEFT", "RIGHT"):
        upper, lower = PATHS[f"{side}_BROW_UPPER"], PATHS[f"{side}_BROW_LOWER"]
        assert (y[list(upper)] < y[list(lower)]).all()
        assert y[list(lower)].max() < y[list(PATHS[f"{side}_EYE_UPPER"])].min()
