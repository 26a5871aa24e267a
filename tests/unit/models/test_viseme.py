import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.models.viseme.controls import CONTROLS, Controls, mel_centres_hz
from app.models.viseme.net import VisemeNet
from app.models.viseme.renderer import MouthRenderer
from app.models.viseme.rig import LANDMARKS, Landmarks, Rig, pose_mouth
from tests.unit.models import mouths

OPEN, CLOSE, ROUND, WIDE = (CONTROLS.index(name) for name in ("jaw", "close", "pucker", "stretch"))
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


def spectrum(*peaks: tuple[float, float, float], floor_db: float = -60.0) -> torch.Tensor:
    """Return (80, 16) log-mel with peaks of (centre Hz, width Hz, level dB), steady in time."""
    centres = mel_centres_hz()
    level = torch.full_like(centres, floor_db)
    for hz, width, peak_db in peaks:
        bump = peak_db - 12 * ((centres - hz) / width) ** 2
        level = torch.maximum(level, bump)
    return ((level + 80) * 0.08 - 4).clamp(-4, 4).float()[:, None].repeat(1, 16)


A = spectrum((130, 80, -20), (750, 200, -14), (1150, 200, -16), (2500, 300, -28))
EE = spectrum((250, 120, -12), (2300, 350, -16), (3000, 300, -20))
U = spectrum((280, 150, -12), (750, 150, -16), (2300, 200, -45))
S = spectrum((5500, 1500, -16), floor_db=-50)
M = spectrum((250, 130, -18), (1100, 200, -42), (2300, 300, -48))


def listen(*windows: torch.Tensor) -> NDArray[np.float32]:
    """Return (B, 8), the controls of log-mel windows."""
    with torch.inference_mode():
        heard: NDArray[np.float32] = Controls()(torch.stack(windows)).numpy()
    return heard


def test_silence_is_rest() -> None:
    noise = spectrum(floor_db=-58)
    assert listen(torch.full((80, 16), -4.0), noise).max() < 0.01


def test_vowels_shape_the_mouth() -> None:
    a, i, u = listen(A, EE, U)
    assert a[OPEN] > 0.5
    assert a[OPEN] > i[OPEN] + 0.2
    assert a[OPEN] > u[OPEN] + 0.2
    assert i[WIDE] > 0.6
    assert u[ROUND] > 0.6
    assert max(a[WIDE], u[WIDE], i[ROUND]) < 0.2


def test_hiss_keeps_a_narrow_slit() -> None:
    (hiss,) = listen(S)
    assert 0.05 < hiss[OPEN] < 0.3
    assert hiss[ROUND] < 0.05


def test_murmur_before_a_vowel_presses_the_lips() -> None:
    (m,) = listen(torch.cat([M[:, :7], A[:, :9]], dim=1))
    assert m[CLOSE] > 0.5
    assert m[OPEN] < 0.25


@pytest.mark.parametrize("vowel", [A, EE, U], ids=["a", "i", "u"])
def test_louder_opens_no_less(vowel: torch.Tensor) -> None:
    quieter = [(vowel - step * 0.4).clamp(-4, 4) for step in range(8)]
    opening = listen(*quieter)[:, OPEN]
    assert (np.diff(opening) <= 1e-4).all()
    assert opening[-1] < 0.05


def test_what_comes_first_counts_most() -> None:
    silence = torch.full((80, 16), -4.0)
    now, later = listen(
        torch.cat([A[:, :6], silence[:, 6:]], dim=1), torch.cat([silence[:, :10], A[:, 10:]], dim=1)
    )
    assert now[OPEN] > 0.4
    assert later[OPEN] < 0.05


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_controls_stay_in_range(seed: int) -> None:
    mel = np.random.default_rng(seed).uniform(-4, 4, (4, 80, 16)).astype(np.float32)
    heard = listen(*torch.from_numpy(mel))
    assert np.isfinite(heard).all()
    assert heard.min() >= 0
    assert heard.max() <= 1


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
    mel = torch.stack([A, U, torch.rand((80, 16), generator=generator) * 8 - 4])
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
