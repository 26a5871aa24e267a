"""What the renderer makes of the eight controls, on a drawn face of any size."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from app import topology
from app.models.viseme.phonemes import CONTROLS
from app.models.viseme.renderer import MouthRenderer
from app.models.viseme.rig import LANDMARKS, Landmarks, Rig, pose_mouth
from tests.unit.models import mouths

Pose = tuple[float, ...]

poses = st.tuples(*[st.floats(0, 1, width=32)] * len(CONTROLS))


def named(**values: float) -> Pose:
    """Return the controls that are named, the others 0."""
    return tuple(values.get(name, 0.0) for name in CONTROLS)


def crop(size: int = 256, gap_px: float = 0.0) -> NDArray[np.uint8]:
    drawn = cv2.resize(mouths.crop(gap_px), (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(drawn, np.uint8)


def draw(
    *drawn: Pose, size: int = 256, gap_px: float = 0.0, photo: NDArray[np.uint8] | None = None
) -> NDArray[np.int16]:
    """Return one crop for each pose, (T, S, S, 3)."""
    image = torch.from_numpy(crop(size, gap_px) if photo is None else photo)
    points = torch.from_numpy(mouths.mesh(gap_px)) * (size / 256)
    frames = len(drawn)
    with torch.inference_mode():
        pixels = MouthRenderer()(
            image.expand(frames, -1, -1, -1), points.expand(frames, -1, -1), torch.tensor(drawn)
        )
    result: NDArray[np.int16] = pixels.numpy().astype(np.int16)
    return result


def rigged(points: NDArray[np.float32], *drawn: Pose, size: int = 256) -> Rig:
    meshes = torch.from_numpy(points).expand(len(drawn), -1, -1)
    marks = Landmarks.of_mesh(meshes, torch.tensor(LANDMARKS))
    return pose_mouth(marks, torch.tensor(drawn), size)


def gaps(*drawn: Pose, gap_px: float = 0.0) -> list[float]:
    """Return the gap in the mouth's middle, crop px."""
    columns = rigged(mouths.mesh(gap_px), *drawn).columns
    gap: list[float] = (columns.lower - columns.upper)[:, 128].tolist()
    return gap


def narrowed(share: float) -> NDArray[np.float32]:
    """Return the mesh with a mouth so many times as wide."""
    points = mouths.mesh()
    lips = list({*topology.OUTER_LIPS, *topology.INNER_LIPS})
    points[lips, 0] = 128 + share * (points[lips, 0] - 128)
    return points


def share_of_widest(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the gape at rising jaws from 0 to 1, over that at 1."""
    gape = rigged(points, *(named(jaw=step / 20) for step in range(21))).gape[:, 0].numpy()
    return np.asarray(gape / gape[-1], np.float32)


def test_narrow_lips_part_sooner_than_wide_ones() -> None:
    narrow, wide = share_of_widest(narrowed(0.8)), share_of_widest(narrowed(1.35))
    assert (narrow[1:-1] > wide[1:-1] + 0.01).all()
    assert wide == pytest.approx(np.linspace(0, 1, 21), abs=0.02)


@pytest.mark.parametrize("width", [0.5, 0.8, 1.0, 1.35])
def test_the_gap_of_any_mouth_grows_with_each_step_of_the_jaw(width: float) -> None:
    shares = share_of_widest(narrowed(width))
    assert shares[0] == pytest.approx(0, abs=0.01)
    assert (np.diff(shares) > 0.02).all()


@pytest.mark.parametrize("size", [96, 128, 130, 192, 256, 512])
def test_rest_returns_a_closed_mouth_unchanged_at_any_size(size: int) -> None:
    assert (draw(named(), size=size)[0] == crop(size)).all()


@pytest.mark.parametrize("gap_px", [0.0, 22.0], ids=["closed", "open"])
def test_the_gap_grows_with_the_jaw(gap_px: float) -> None:
    gap = gaps(*(named(jaw=share / 20) for share in range(21)), gap_px=gap_px)
    assert gap[0] == pytest.approx(0, abs=1e-3)
    assert min(np.diff(gap)) > 0.5


@given(pose=poses, gap_px=st.sampled_from([0.0, 6.0, 22.0]))
@settings(max_examples=30, deadline=None)
def test_pressed_lips_leave_no_gap(pose: Pose, gap_px: float) -> None:
    pressed = (pose[0], 1.0, *pose[2:])
    columns = rigged(mouths.mesh(gap_px), pressed).columns
    assert (columns.lower - columns.upper).abs().max() < 1e-3


def test_pressed_lips_show_nothing_of_the_inside() -> None:
    photo = crop()
    (before, pressed) = draw(named(), named(jaw=1, close=1, upper=1, lower=1, tongue=1))
    red = photo[..., 0].astype(int) - photo[..., 1]
    assert red[72:96, 112:144].max() > 80
    assert pressed[..., 0].min() > before[..., 0].min() - 5


@pytest.mark.parametrize("control", [name for name in CONTROLS if name not in ("tongue", "close")])
def test_every_control_moves_the_mouth(control: str) -> None:
    rest, moved = draw(named(), named(**{control: 1.0}))
    assert (np.abs(moved - rest).max(axis=2) > 20).mean() > 0.002


def test_the_tongue_comes_up_in_an_open_mouth() -> None:
    down, up = draw(named(jaw=0.6), named(jaw=0.6, tongue=1))
    columns = rigged(mouths.mesh(), named(jaw=0.6)).columns
    middle = int(columns.upper[0, 128] + columns.lower[0, 128]) // 2
    assert up[middle, 128, 0] > down[middle, 128, 0] + 25


@pytest.mark.parametrize(("control", "thicker"), [("pucker", True), ("stretch", False)])
def test_lips_thicken_as_they_narrow_and_thin_as_they_stretch(control: str, thicker: bool) -> None:
    rest, moved = draw(named(), named(**{control: 1.0}))
    red = [int((pixels[:, 128, 1] < 115).sum()) for pixels in (rest, moved)]
    assert (red[1] > red[0]) == thicker
    assert abs(red[1] - red[0]) >= 2


@given(pose=poses, gap_px=st.sampled_from([0.0, 22.0]), size=st.sampled_from([128, 256]))
@settings(max_examples=15, deadline=None)
def test_nothing_changes_where_the_crop_fades_out(pose: Pose, gap_px: float, size: int) -> None:
    change = np.abs(draw(pose, size=size, gap_px=gap_px)[0] - crop(size, gap_px))
    edge = size // 64
    assert change[: size // 8].max() == 0
    assert max(change[-edge:].max(), change[:, :edge].max(), change[:, -edge:].max()) == 0


@given(pose=poses, control=st.integers(0, 7), gap_px=st.sampled_from([0.0, 22.0]))
@settings(max_examples=20, deadline=None)
def test_small_changes_of_a_control_change_little(pose: Pose, control: int, gap_px: float) -> None:
    start = min(pose[control], 0.99)
    nudged = [(*pose[:control], start + step, *pose[control + 1 :]) for step in (0.0, 0.01)]
    before, after = draw(*nudged, gap_px=gap_px)
    change = np.abs(after - before)
    # A hundredth moves an edge by less than 0.4 px, between tones that are 240 apart at most.
    assert change.max() <= 96
    assert change.mean() < 0.15


def test_lips_that_part_do_not_pop() -> None:
    opening = draw(*(named(jaw=share / 200) for share in range(12)))
    steps = np.abs(np.diff(opening, axis=0))
    assert steps[0].max() < 40
    assert steps.mean(axis=(1, 2, 3)).max() < 3 * np.median(steps.mean(axis=(1, 2, 3)))


def test_a_grey_photo_stays_grey() -> None:
    grey = np.repeat(crop().mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    drawn = draw(named(jaw=1, lower=1), named(jaw=0.5, tongue=1), photo=grey)
    assert np.ptp(drawn, axis=3).max() <= 1


def test_the_inside_is_as_bright_as_the_photo() -> None:
    light, dark = (
        draw(named(jaw=0.5), photo=(crop() * share).astype(np.uint8)) for share in (1.0, 0.4)
    )
    columns = rigged(mouths.mesh(), named(jaw=0.5)).columns
    top = int(columns.upper[0, 128])
    teeth = [float(pixels[0, top : top + 5, 120:136].mean()) for pixels in (light, dark)]
    assert 0.3 < teeth[1] / teeth[0] < 0.7


@pytest.mark.parametrize("size", [128, 192])
def test_frames_of_a_batch_do_not_see_each_other(size: int) -> None:
    drawn = [named(jaw=0.4, stretch=0.5), named(close=1), named(funnel=1, tongue=0.5)]
    together = draw(*drawn, size=size)
    for pose, pixels in zip(drawn, together, strict=True):
        assert np.abs(draw(pose, size=size)[0] - pixels).max() <= 1


@given(pose=poses, seed=st.integers(0, 2**32 - 1), spread=st.sampled_from([0.0, 3.0, 80.0, 1e4]))
@settings(max_examples=40, deadline=None)
def test_any_mesh_gives_numbers(pose: Pose, seed: int, spread: float) -> None:
    random = np.random.default_rng(seed)
    points = (128 + spread * random.standard_normal((478, 2))).astype(np.float32)
    rig = rigged(points, pose)
    numbers = [*rig.columns, *rig.face, *rig[2:]]
    assert all(tensor.isfinite().all() for tensor in numbers)
    with torch.inference_mode():
        drawn = MouthRenderer()(
            torch.from_numpy(crop())[None], torch.from_numpy(points)[None], torch.tensor([pose])
        )
    assert drawn.shape == (1, 256, 256, 3)
    assert (drawn[:, :4].numpy() == crop()[None, :4]).all() or spread > 3
