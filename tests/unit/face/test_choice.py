import pytest

from app.errors import FaceTooSmall, FaceTurnedAway, NoFace
from app.face.choice import check_size, choose, face_px
from app.face.config import FaceConfig
from app.values import FaceMesh
from tests.unit.face.conftest import MeshMaker


def test_the_largest_is_chosen_unless_another_is_asked_for(make_mesh: MeshMaker) -> None:
    meshes = [make_mesh(200), make_mesh(100)]
    assert choose(meshes) is meshes[0]
    assert choose(meshes, 0) is meshes[0]
    assert choose(meshes, 1) is meshes[1]


def test_no_face_tells_how_to_take_the_photo() -> None:
    with pytest.raises(NoFace) as caught:
        choose([])
    for word in ("frontal", "well-lit", "whole face"):
        assert word in caught.value.hint


@pytest.mark.parametrize("index", [-1, 2, 99])
def test_a_face_that_is_not_there_is_refused(make_mesh: MeshMaker, index: int) -> None:
    with pytest.raises(NoFace, match=f"face_index {index}") as caught:
        choose([make_mesh(), make_mesh()], index)
    assert "0 to 1" in caught.value.hint


def test_a_face_below_the_least_size_is_refused(make_mesh: MeshMaker) -> None:
    config = FaceConfig(min_face_px=100)
    assert face_px(choose([make_mesh(101)], config=config).points) == pytest.approx(101, rel=0.01)
    with pytest.raises(FaceTooSmall, match="99 px") as caught:
        choose([make_mesh(99)], config=config)
    assert "original" in caught.value.hint


@pytest.mark.parametrize(
    ("yaw", "is_refused"), [(-60, True), (60, True), (-45, False), (45, False)]
)
def test_a_face_turned_away_is_refused_and_a_three_quarter_view_is_not(
    make_mesh: MeshMaker, yaw: float, is_refused: bool
) -> None:
    mesh = make_mesh(yaw_deg=yaw)
    if not is_refused:
        assert choose([mesh]) is mesh
        return
    with pytest.raises(FaceTurnedAway) as caught:
        choose([mesh])
    assert "towards the camera" in caught.value.hint


def test_a_profile_is_refused_whatever_its_mesh_says(make_mesh: MeshMaker) -> None:
    mesh = make_mesh(yaw_deg=42)
    with pytest.raises(FaceTurnedAway):
        choose([FaceMesh(mesh.points, mesh.blendshapes, 0.5)])


def test_a_face_that_the_videos_size_makes_tiny_is_refused(make_mesh: MeshMaker) -> None:
    mesh = make_mesh(size_px=100.0)
    check_size(mesh.scaled(0.5, 0.5), FaceConfig())
    with pytest.raises(FaceTooSmall, match="25 px") as caught:
        check_size(mesh.scaled(0.25, 0.25), FaceConfig())
    assert "larger `size`" in caught.value.hint
