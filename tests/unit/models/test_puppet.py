"""The measurements and the warp behind the puppet."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from app import topology
from app.models.puppet import warp
from app.models.puppet.eyelids import PAD, SKIN_TO_FOLD, find_eyelids
from app.models.puppet.freedom import freedom, least_area
from app.models.puppet.gestures import gesture_fields
from app.models.puppet.head import GRID, STAGE_STEP_PX, Places, Stage, head_fields
from app.models.puppet.renderer import _skin_origin
from app.values import FaceMesh
from tests.fake_face import fake_mesh, fake_portrait

FACES = [
    pytest.param(fake_mesh((160, 150), 90), (320, 320), id="small"),
    pytest.param(fake_mesh((100, 110), 130, roll_deg=15), (240, 200), id="tilted"),
    pytest.param(fake_mesh((130, 120), 220), (240, 260), id="close-up"),
    pytest.param(fake_mesh((60, 40), 120), (256, 256), id="cut by two borders"),
]


def _fields(points: NDArray[np.float32], photo: tuple[int, int]) -> tuple[Stage, torch.Tensor]:
    places = Places.of_mesh(points, photo)
    stage = places.stage
    fields = torch.from_numpy(np.concatenate([head_fields(places), gesture_fields(places)]))
    fields[3:5] *= freedom(fields, (stage.height, stage.width))
    return stage, fields[None]


def _moved(fields: torch.Tensor, pose: torch.Tensor, brows_up: float = 0.0) -> torch.Tensor:
    gesture = torch.tensor([0.0, 0, brows_up, 2 * brows_up - 1]).expand(len(pose), -1)
    still = torch.zeros_like(gesture)
    expanded = fields.expand(len(pose), -1, -1, -1)
    return warp.displacement(expanded, pose, gesture if brows_up else still)


def _extremes() -> torch.Tensor:
    corners = [(y, p, r) for y in (-15, 0, 15) for p in (-10, 0, 10) for r in (-12, 0, 12)]
    return torch.tensor(corners, dtype=torch.float32)


@pytest.mark.parametrize("brows_up", [0.0, 1.0])
@pytest.mark.parametrize(("mesh", "photo"), FACES)
def test_no_pose_folds_or_tears_the_photo(
    mesh: FaceMesh, photo: tuple[int, int], brows_up: float
) -> None:
    stage, fields = _fields(mesh.points, photo)
    moved = _moved(fields, _extremes(), brows_up)
    assert least_area(moved, (stage.height, stage.width)) > 0.1


def test_a_fold_is_seen_and_a_shift_is_none() -> None:
    shifted = torch.full((1, 2, GRID, GRID), 0.3)
    assert least_area(shifted, (64, 64)) == pytest.approx(1)
    x = torch.linspace(1 / 64 - 1, 1 - 1 / 64, GRID)
    mirrored = torch.stack([-2 * x.expand(GRID, GRID), torch.zeros(GRID, GRID)])[None]
    assert least_area(mirrored, (64, 64)) == pytest.approx(-1, abs=1e-4)


def test_a_head_in_the_open_turns_freely_and_one_at_the_border_less() -> None:
    def share(points: NDArray[np.float32], photo: tuple[int, int]) -> float:
        places = Places.of_mesh(points, photo)
        stage = places.stage
        fields = np.concatenate([head_fields(places), gesture_fields(places)])
        return freedom(torch.from_numpy(fields), (stage.height, stage.width))

    assert share(fake_mesh((160, 150), 90).points, (320, 320)) == 1
    assert share(fake_mesh((100, 110), 130, roll_deg=15).points, (240, 200)) < 1


@pytest.mark.parametrize(("mesh", "photo"), FACES)
def test_nothing_crosses_the_border_of_the_photo(mesh: FaceMesh, photo: tuple[int, int]) -> None:
    stage, fields = _fields(mesh.points, photo)
    moved = _moved(fields, _extremes(), 1.0)
    for border in (moved[:, 0, :, 0], moved[:, 0, :, -1], moved[:, 1, 0], moved[:, 1, -1]):
        assert border.abs().max() < 1e-6
    inner = (slice(None), slice(None), slice(1, -1), slice(1, -1))
    assert warp.origins(moved, (stage.height, stage.width))[inner].abs().max() < 1


@pytest.mark.parametrize(("mesh", "photo"), FACES)
def test_the_stage_lies_in_the_photo_in_whole_steps(mesh: FaceMesh, photo: tuple[int, int]) -> None:
    stage, _ = _fields(mesh.points, photo)
    assert 0 <= stage.x <= stage.x + stage.width <= photo[1]
    assert 0 <= stage.y <= stage.y + stage.height <= photo[0]
    assert stage.width % STAGE_STEP_PX == 0 or stage.width == photo[1]
    assert stage.height % STAGE_STEP_PX == 0 or stage.height == photo[0]


@given(
    yaw=st.floats(-15, 15),
    pitch=st.floats(-10, 10),
    roll=st.floats(-12, 12),
    side=st.integers(0, 7),
)
@settings(max_examples=30, deadline=None)
def test_origins_undo_the_displacement(yaw: float, pitch: float, roll: float, side: int) -> None:
    mesh = fake_mesh((140, 130), 100, roll_deg=side - 3)
    stage, fields = _fields(mesh.points, (288, 288))
    size = (stage.height, stage.width)
    moved = _moved(fields, torch.tensor([[yaw, pitch, roll]]))
    origins = warp.origins(moved, size).flatten(2).transpose(1, 2)
    still = warp.origins(torch.zeros_like(moved), size).flatten(2).transpose(1, 2)
    back = origins + warp.look_up(moved, origins, size).transpose(1, 2)
    error_px = (back - still).abs() * torch.tensor([stage.width, stage.height]) / 2
    assert error_px.max() < 0.5


def test_turn_is_a_rotation_with_the_signs_of_motion() -> None:
    nose, crown = torch.tensor([0.0, 0, -1]), torch.tensor([0.0, -1, 0])
    assert (warp.turn(torch.tensor([[8.0, 0, 0]]))[0] @ nose)[0] > 0.1
    assert (warp.turn(torch.tensor([[0.0, 8, 0]]))[0] @ nose)[1] > 0.1
    assert (warp.turn(torch.tensor([[0.0, 0, 8]]))[0] @ crown)[0] > 0.1
    rows = warp.turn(_extremes()) + torch.eye(3)[:2]
    torch.testing.assert_close(rows @ rows.transpose(1, 2), torch.eye(2).expand(27, 2, 2))


def test_poses_beyond_the_limit_are_clamped() -> None:
    limit = torch.tensor([warp.POSE_LIMIT_DEG])
    assert torch.equal(warp.turn(3 * limit), warp.turn(limit))


def test_the_skin_map_is_inverted() -> None:
    skin = torch.full((1, 500), 10.0)
    for drop_px in (0.0, 4.0, 15.0):
        q = torch.linspace(0.01, 0.99, 500)[None]
        u = (q / SKIN_TO_FOLD).clamp(max=1)
        depth = q * skin + drop_px * u * u * (3 - 2 * u)
        found = _skin_origin(depth, skin, torch.full_like(skin, drop_px))
        torch.testing.assert_close(found, q * skin, atol=1e-3, rtol=0)


def test_eyelids_stay_near_the_eyes_and_pad_with_a_still_pixel() -> None:
    mesh = fake_mesh((160, 150), 120)
    stage = Places.of_mesh(mesh.points, (320, 320)).stage
    still = fake_portrait(mesh, 320, 320).pixels[stage.rows, stage.columns]
    lids = find_eyelids(mesh.points, stage, still)
    assert lids.slots.shape == (lids.pixels.shape[1],)
    assert len(lids.slots) % PAD == 0
    used = lids.slots[lids.slots > 0]
    assert len(np.unique(used)) == len(used)
    y = used // stage.width + stage.y
    eyes = mesh.points[list(topology.EYE_CORNERS), 1]
    assert y.min() > eyes.min() - 0.25 * 120
    assert y.max() < eyes.max() + 0.25 * 120
    assert not lids.shifts[list(topology.LEFT_IRIS + topology.RIGHT_IRIS)].any()
    assert not lids.shifts[topology.NOSE_TIP].any()
    upper, lower = topology.LEFT_EYE_UPPER[4], topology.LEFT_EYE_LOWER[4]
    gap = mesh.points[lower, 1] + lids.shifts[lower, 1] - mesh.points[upper, 1]
    assert lids.shifts[upper, 1] == pytest.approx(gap, abs=1.5)
