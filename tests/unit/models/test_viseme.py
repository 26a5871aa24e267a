import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.models.viseme.controls import STEPS
from app.models.viseme.net import VisemeNet
from app.models.viseme.phonemes import CONTROLS
from app.models.viseme.renderer import MouthRenderer
from app.models.viseme.rig import LANDMARKS, Landmarks, Rig, pose_mouth
from tests.unit.models import mouths

REST = (0.0,) * 8


def controls(**values: float) -> tuple[float, ...]:
    """Return the controls that are named, the others 0."""
    return tuple(values.get(name, 0.0) for name in CONTROLS)


def draw(pose: tuple[float, ...], gap_px: float = 0.0) -> NDArray[np.int16]:
    """Return the drawn face's crop after the renderer, (256, 256, 3)."""
    with torch.inference_mode():
        drawn = MouthRenderer()(
            torch.from_numpy(mouths.crop(gap_px))[None],
            torch.from_numpy(mouths.mesh(gap_px))[None],
            torch.tensor([pose]),
        )
    pixels: NDArray[np.int16] = drawn[0].numpy().astype(np.int16)
    return pixels


def posed(pose: tuple[float, ...], gap_px: float = 0.0) -> Rig:
    """Return how the drawn face's mouth moves in its crop of 256 px."""
    mesh = torch.from_numpy(mouths.mesh(gap_px))[None]
    marks = Landmarks.of_mesh(mesh, torch.tensor(LANDMARKS))
    return pose_mouth(marks, torch.tensor([pose]), 256)


def test_rest_returns_a_closed_mouth_unchanged() -> None:
    assert (draw(REST) == mouths.crop()).all()


def test_opening_shows_the_inside_and_more_of_it_the_wider() -> None:
    before = mouths.crop().astype(np.int16)
    dark = [int((draw(controls(jaw=o)).sum(axis=2) < 200).sum()) for o in (0.0, 0.4, 0.7, 1.0)]
    assert dark[0] == 0
    assert dark[0] < dark[1] < dark[2] < dark[3]
    middle = slice(96, 160)
    changed = np.abs(draw(controls(jaw=0.7)) - before).max(axis=2)[72:110, middle]
    assert (changed > 40).mean() > 0.15


def test_teeth_show_beneath_the_upper_lip() -> None:
    column = draw(controls(jaw=1))[:, 128].mean(axis=1)
    rig = posed(controls(jaw=1))
    top, bottom = int(rig.columns.upper[0, 128]), int(rig.columns.lower[0, 128])
    assert bottom - top > 15
    assert column[top + 2 : top + 6].max() > 100
    assert column[(top + 2 * bottom) // 3] < 70


def test_rest_closes_an_open_mouth() -> None:
    before, closed = mouths.crop(22.0).astype(np.int16), draw(REST, 22.0)

    def white(pixels: NDArray[np.int16]) -> int:
        return int((pixels.min(axis=2) > 200).sum())

    assert white(before) > 800
    assert white(closed) < 0.1 * white(before)


def test_own_teeth_stay_where_they_are() -> None:
    before, drawn = mouths.crop(22.0).astype(np.int16), draw(controls(jaw=1), 22.0)
    teeth = (slice(85, 92), slice(112, 144))
    assert np.abs(before[teeth] - drawn[teeth]).max() <= 1


def test_jaw_follows_the_lower_lip() -> None:
    rest, opened = posed(REST), posed(controls(jaw=1))
    lip = float(opened.columns.lower[0, 128] - rest.columns.lower[0, 128])
    chin = float(opened.jaw - rest.jaw)
    assert lip > 15
    assert 0.4 * lip < chin < 0.8 * lip


@pytest.mark.parametrize(("pose", "sign"), [(controls(stretch=1), 1), (controls(pucker=1), -1)])
def test_stretch_and_pucker_move_the_corners(pose: tuple[float, ...], sign: int) -> None:
    def lip_width(pixels: NDArray[np.int16]) -> int:
        return int((pixels[84, :, 1] < 110).sum())

    change = lip_width(draw(pose)) - lip_width(draw(REST))
    assert 6 <= sign * change <= 24


def test_pressing_thins_the_lips() -> None:
    def red(pixels: NDArray[np.int16]) -> int:
        return int((pixels[:, 128, 1] < 110).sum())

    assert red(draw(controls(close=1))) < red(draw(REST))


@pytest.mark.parametrize("gap_px", [0.0, 22.0])
def test_nothing_moves_at_the_border_or_above_the_nose(gap_px: float) -> None:
    change = np.abs(
        draw(controls(jaw=1, stretch=0.5, pucker=0.5, close=0.3), gap_px) - mouths.crop(gap_px)
    ).max(axis=2)
    assert change[:40].max() == 0
    assert change[-6:].max() == 0
    assert change[:, :6].max() == 0
    assert change[:, -6:].max() == 0


@given(pose=st.tuples(*[st.floats(0, 1, width=32)] * 8), gap_px=st.sampled_from([0.0, 6.0, 22.0]))
@settings(max_examples=25, deadline=None)
def test_lips_never_cross_and_layers_never_fold(pose: tuple[float, ...], gap_px: float) -> None:
    columns = posed(pose, gap_px).columns
    assert (columns.lower - columns.upper).min() >= -1e-3
    column = torch.arange(256) + 0.5 - columns.shift_x[0]
    assert (column[1:] - column[:-1]).min() > 0.05


def test_frames_of_a_batch_do_not_see_each_other() -> None:
    generator = torch.Generator().manual_seed(1)
    gaps = (0.0, 10.0, 22.0)
    crops = torch.from_numpy(np.stack([mouths.crop(gap) for gap in gaps]))
    points = torch.from_numpy(np.stack([mouths.mesh(gap) for gap in gaps]))
    mel = torch.rand((3, 80, STEPS), generator=generator) * 8 - 4
    net = VisemeNet().eval()
    with torch.inference_mode():
        together = net(crops, points, mel)
        for index in range(3):
            one = slice(index, index + 1)
            alone = net(crops[one], points[one], mel[one])[0]
            assert (alone.short() - together[index].short()).abs().max() <= 1


def test_degenerate_meshes_give_finite_crops() -> None:
    points = torch.full((1, 478, 2), 128.0)
    crop = torch.from_numpy(mouths.crop())[None]
    with torch.inference_mode():
        drawn = MouthRenderer()(crop, points, torch.ones((1, 8)))
    assert drawn.shape == (1, 256, 256, 3)
    assert (drawn[:, :, :4] == crop[:, :, :4]).all()
