import numpy as np
import pytest

from app.face.turns import roll_deg, turn, turn_points, upright_turns
from app.values import FaceMesh, Portrait
from tests.unit.face.conftest import MeshMaker


@pytest.mark.parametrize("turns", [-1, 0, 1, 2, 3, 5])
def test_a_marked_pixel_and_its_point_turn_alike(turns: int) -> None:
    pixels = np.zeros((4, 7, 3), np.uint8)
    pixels[1, 5] = 255
    points = np.array([[5.5, 1.5, -2.0]], np.float32)
    row, column = np.argwhere(np.rot90(pixels, turns)[:, :, 0])[0]
    turned = turn_points(points, turns, 4, 7)
    np.testing.assert_array_equal(turned, [[column + 0.5, row + 0.5, -2.0]])
    np.testing.assert_array_equal(points, [[5.5, 1.5, -2.0]])


@pytest.mark.parametrize(
    ("roll", "turns"), [(0, 0), (40, 0), (-40, 0), (90, 1), (180, 2), (-90, 3), (130, 1), (-140, 2)]
)
def test_upright_turns_stand_a_face_up(make_mesh: MeshMaker, roll: float, turns: int) -> None:
    mesh = make_mesh(roll_deg=roll)
    assert roll_deg(mesh.points) == pytest.approx(roll, abs=0.1) or abs(roll) == 180
    assert upright_turns(mesh) == turns
    portrait = Portrait(np.zeros((600, 640, 3), np.uint8))
    turned, moved = turn(portrait, mesh, turns)
    assert abs(roll_deg(moved.points)) <= 45
    assert turned.pixels.shape == ((640, 600, 3) if turns % 2 else (600, 640, 3))
    assert turned.pixels.flags.c_contiguous


def test_turning_four_times_changes_nothing(make_mesh: MeshMaker) -> None:
    pixels = np.arange(5 * 8 * 3, dtype=np.uint8).reshape(5, 8, 3)
    portrait, mesh = Portrait(pixels), make_mesh()
    start: FaceMesh = mesh
    for _ in range(4):
        portrait, mesh = turn(portrait, mesh, 1)
    np.testing.assert_array_equal(portrait.pixels, pixels)
    np.testing.assert_allclose(mesh.points, start.points, atol=1e-3)
