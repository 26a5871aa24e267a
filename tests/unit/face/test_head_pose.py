from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.face.analyzer import FaceAnalyzer
from app.head_pose import FACE, yaw_deg
from app.values import FaceMesh
from tests.turned import turned


def rotation(yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    """Return (3, 3): first roll, then pitch, then yaw, degrees, as `Motion` counts them."""
    a, b, c = np.radians([yaw, pitch, roll])
    yawing = [[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]]
    pitching = [[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]]
    rolling = [[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]]
    return np.array(yawing) @ np.array(pitching) @ np.array(rolling)


def head(matrix: NDArray[np.float64], scale: float = 20.0) -> NDArray[np.float32]:
    points = np.zeros((478, 3), np.float32)
    points[list(FACE)] = np.array(list(FACE.values())) @ matrix.T * scale + 300
    return points


@given(st.floats(-85, 85), st.floats(-30, 30), st.floats(1, 100))
def test_the_turn_of_a_known_head_is_found(yaw: float, pitch: float, scale: float) -> None:
    assert yaw_deg(head(rotation(yaw, pitch, 0), scale)) == pytest.approx(yaw, abs=0.1)


@given(st.floats(-60, 60))
def test_a_mirror_image_looks_the_other_way(yaw: float) -> None:
    points = head(rotation(yaw, 10, 0))
    mirrored = points.copy()
    for (left, right), _ in PAIRS:
        mirrored[left], mirrored[right] = points[right], points[left]
    mirrored[:, 0] = -mirrored[:, 0]
    assert yaw_deg(mirrored) == pytest.approx(-yaw_deg(points), abs=0.01)


PAIRS = [
    ((left, right), place)
    for left, place in FACE.items()
    for right, other in FACE.items()
    if place[0] < 0 and other == (-place[0], *place[1:])
]


def test_depth_does_not_matter_and_no_face_is_no_crash() -> None:
    points = head(rotation(30, 0, 0))
    flat = points.copy()
    flat[:, 2] = 0
    assert yaw_deg(flat) == yaw_deg(points)
    assert np.isfinite(yaw_deg(np.zeros((478, 3), np.float32)))


Turner = Callable[[float], list[FaceMesh]]


@pytest.fixture(scope="module")
def look(analyzer: FaceAnalyzer, astronaut: NDArray[np.uint8], astronaut_mesh: FaceMesh) -> Turner:
    """Return the faces seen when the astronaut's head is rendered at a turn."""
    return lambda yaw: analyzer.analyze(turned(astronaut, astronaut_mesh, yaw))


@pytest.mark.parametrize("yaw", [-30, 15, 45])
def test_the_turn_of_a_rendered_head_is_read_within_eight_degrees(look: Turner, yaw: float) -> None:
    (mesh,) = look(yaw)
    assert yaw_deg(mesh.points) == pytest.approx(yaw, abs=8)


@pytest.mark.parametrize("yaw", [-60, 75])
def test_a_profile_is_seen_as_one(look: Turner, yaw: float) -> None:
    (mesh,) = look(yaw)
    assert yaw_deg(mesh.points) * np.sign(yaw) > 50
