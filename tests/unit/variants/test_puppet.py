"""What the puppet's frames show."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from app import topology
from app.models.puppet.renderer import PuppetNet
from app.runtime.eager import EagerEngine
from app.values import FrameGroup, Motion
from app.variants.puppet import Prepared, Puppet
from tests.fake_face import fake_mesh, fake_portrait
from tests.unit.models.one_device import OneDevice

SIZE = 288
OPEN = (0.0, 0.0)
FRONT = (0.0, 0.0, 0.0)


class CountingEngine:
    """An eager engine that counts its runs."""

    backend = "counting"
    precision = "fp32"
    device = torch.device("cpu")

    def __init__(self) -> None:
        self.batches: list[int] = []
        self._engine = EagerEngine(PuppetNet())

    def run(self, *inputs: torch.Tensor) -> torch.Tensor:
        self.batches.append(len(inputs[0]))
        assert all(len(tensor) == len(inputs[0]) for tensor in inputs)
        return self._engine.run(*inputs)


def _motion(*rows: tuple[tuple[float, float, float], tuple[float, float]]) -> Motion:
    pose = np.array([pose for pose, _ in rows], np.float32).reshape(-1, 3)
    return Motion(pose, np.array([closure for _, closure in rows], np.float32).reshape(-1, 2))


def _sitter(
    puppet: Puppet, centre: tuple[float, float] = (140, 130), height_px: float = 110
) -> Prepared:
    mesh = fake_mesh(centre, height_px)
    return puppet.prepare(fake_portrait(mesh, SIZE, SIZE), mesh)


def _animate(puppet: Puppet, prepared: Prepared, motion: Motion) -> FrameGroup:
    (group,) = puppet.animate([(prepared, motion)])
    return group


def _difference(frame: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.int16]:
    difference: NDArray[np.int16] = np.abs(frame.astype(np.int16) - other).max(-1)
    return difference


def _nose(frame: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the centre of the painted red nose, px."""
    red = frame.astype(np.float64)
    weight = np.clip(red[..., 0] - 2 * red[..., 1], 0, None)
    y, x = np.mgrid[: len(frame), : frame.shape[1]] + 0.5
    centre: NDArray[np.float64] = np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()
    return centre


@pytest.mark.parametrize(
    ("centre", "height_px"), [((140, 130), 110), ((140, 150), 250), ((60, 40), 120)]
)
def test_no_motion_gives_exactly_the_photo(centre: tuple[float, float], height_px: float) -> None:
    puppet = Puppet()
    prepared = _sitter(puppet, centre, height_px)
    group = _animate(puppet, prepared, _motion((FRONT, OPEN), (FRONT, OPEN)))
    assert np.array_equal(group.pixels, np.stack([prepared.pixels] * 2))
    assert np.abs(group.points - prepared.points).max() < 1e-3


def test_the_background_stands_still() -> None:
    puppet = Puppet()
    prepared = _sitter(puppet, height_px=80)
    group = _animate(puppet, prepared, _motion(((10, 8, 10), (1, 1)), ((-10, -8, -10), (1, 1))))
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    far = np.hypot((x - 140) / 1.5, (y - 115) / 1.65) > 80
    assert far.mean() > 0.3
    for frame in group.pixels:
        assert _difference(frame, prepared.pixels)[far].max() == 0
        assert _difference(frame, prepared.pixels).max() > 50


@pytest.mark.parametrize(
    ("pose", "axis"), [((8.0, 0.0, 0.0), 0), ((0.0, 8.0, 0.0), 1), ((0.0, 0.0, 8.0), 0)]
)
def test_positive_angles_turn_right_down_and_clockwise(
    pose: tuple[float, float, float], axis: int
) -> None:
    puppet = Puppet()
    prepared = _sitter(puppet)
    back: tuple[float, float, float] = (-pose[0], -pose[1], -pose[2])
    there, back_again = _animate(puppet, prepared, _motion((pose, OPEN), (back, OPEN))).pixels
    still = _nose(prepared.pixels)
    assert (_nose(there) - still)[axis] > 1
    assert (_nose(back_again) - still)[axis] < -1


def test_the_nose_moves_further_than_the_outline() -> None:
    puppet = Puppet()
    group = _animate(puppet, prepared := _sitter(puppet), _motion(((8, 0, 0), OPEN)))
    moved = np.linalg.norm(group.points[0] - prepared.points, axis=1)
    assert moved[topology.NOSE_TIP] > 2 * moved[[topology.LEFT_CHEEK, topology.RIGHT_CHEEK]].max()


def test_points_follow_the_pixels() -> None:
    puppet = Puppet()
    prepared = _sitter(puppet)
    poses = [(8.0, 0, 0), (-8.0, 5, 3), (0.0, -6, -8), (5.0, 6, 8), (2.0, 1, -1)]
    group = _animate(puppet, prepared, _motion(*((pose, OPEN) for pose in poses)))
    offset = _nose(prepared.pixels) - prepared.points[topology.NOSE_TIP]
    for frame, points in zip(group.pixels, group.points, strict=True):
        assert np.abs(_nose(frame) - offset - points[topology.NOSE_TIP]).max() < 0.5


def test_shut_eyes_cover_the_eyeballs_and_change_nothing_else() -> None:
    puppet = Puppet()
    prepared = _sitter(puppet)
    left, right, both = _animate(
        puppet, prepared, _motion((FRONT, (1, 0)), (FRONT, (0, 1)), (FRONT, (1, 1)))
    ).pixels
    x = np.arange(SIZE)[None].repeat(SIZE, 0)
    for frame, other_half in ((left, x >= 140), (right, x < 140)):
        assert _difference(frame, prepared.pixels)[other_half].max() == 0
    white = (prepared.pixels.min(-1) > 230).sum()
    assert white > 50
    assert (both.min(-1) > 230).sum() < 0.05 * white
    changed = np.argwhere(_difference(both, prepared.pixels) > 2)
    eyes = prepared.points[list(topology.EYE_CORNERS)]
    assert changed[:, 0].min() > eyes[:, 1].min() - 25
    assert changed[:, 0].max() < eyes[:, 1].max() + 25


def test_a_lid_goes_down_with_the_closure_and_its_points_with_it() -> None:
    puppet = Puppet()
    prepared = _sitter(puppet, height_px=140)
    closures = [0.0, 0.25, 0.5, 0.75, 1.0]
    group = _animate(puppet, prepared, _motion(*((FRONT, (c, c)) for c in closures)))
    column = round(float(prepared.points[468, 0]) + 6)
    top, bottom = (round(float(prepared.points[k, 1])) for k in (159, 145))
    tops = []
    for frame in group.pixels:
        bright = frame[top - 2 : bottom + 2, column].min(-1) > 200
        tops.append(float(bright.sum()))
    assert tops == sorted(tops, reverse=True)
    assert tops[0] - tops[2] > 3
    upper = group.points[:, topology.LEFT_EYE_UPPER[4], 1]
    assert (np.diff(upper) > 0.5).all()


def test_items_come_out_together_as_they_do_alone() -> None:
    engine = CountingEngine()
    puppet = Puppet(engine)
    random = np.random.default_rng(3)
    sitters = [_sitter(puppet), _sitter(puppet, (150, 130)), _sitter(puppet, (120, 110), 70)]
    motions = [
        Motion(
            random.normal(0, 4, (frames, 3)).astype(np.float32),
            random.random((frames, 2)).astype(np.float32),
        )
        for frames in (3, 2, 4)
    ]
    items = list(zip(sitters, motions, strict=True))
    together = puppet.animate(items)
    assert sorted(engine.batches) == [4, 5]
    for item, group in zip(items, together, strict=True):
        (alone,) = puppet.animate([item])
        assert group.pixels.shape == (len(item[1]), SIZE, SIZE, 3)
        assert _difference(group.pixels, alone.pixels).max() <= 1
        assert np.abs(group.points - alone.points).max() < 1e-3


@pytest.mark.parametrize("centre", [(-10, 140), (290, 140), (140, -15), (140, 300)])
def test_a_face_half_outside_the_photo_is_still_drawn(centre: tuple[float, float]) -> None:
    puppet = Puppet()
    group = _animate(puppet, prepared := _sitter(puppet, centre), _motion(((9, 7, -9), (1, 1))))
    assert group.pixels.shape == (1, SIZE, SIZE, 3)
    assert np.isfinite(group.points).all()
    assert int(group.pixels.min()) >= int(prepared.pixels.min()) - 30


def test_long_batches_go_through_the_engine_in_parts() -> None:
    engine = CountingEngine()
    whole, parts = Puppet(), Puppet(engine, run_px=1)
    prepared = _sitter(whole)
    motion = _motion(*(((k, 0, -k), (k / 4, 0)) for k in range(4)))
    assert np.array_equal(
        _animate(parts, prepared, motion).pixels, _animate(whole, prepared, motion).pixels
    )
    assert engine.batches == [1, 1, 1, 1]


def test_a_motion_without_rows_gives_no_frames() -> None:
    puppet = Puppet()
    group = _animate(puppet, _sitter(puppet), _motion())
    assert group.pixels.shape == (0, SIZE, SIZE, 3)
    assert group.points.shape == (0, 478, 2)


def test_frames_are_the_callers_own() -> None:
    puppet = Puppet()
    prepared = _sitter(puppet)
    group = _animate(puppet, prepared, _motion((FRONT, OPEN)))
    group.pixels[:] = 0
    assert _animate(puppet, prepared, _motion((FRONT, OPEN))).pixels.any()


def test_size_counts_the_photo_and_the_tensors() -> None:
    puppet = Puppet()
    prepared = _sitter(puppet)
    assert puppet.size_bytes(prepared) > prepared.pixels.nbytes + prepared.tensors[0].nbytes


def test_the_card_names_the_model_and_its_engine() -> None:
    card = Puppet(CountingEngine()).card
    assert (card.role, card.variant, card.backend) == ("portrait", "puppet", "counting")
    assert card.embedded
    assert card.device == "cpu"


class MetaEngine:
    """Runs on torch's device without data; its frames are black."""

    backend = "meta"
    precision = "fp32"
    device = torch.device("meta")

    def run(self, *inputs: torch.Tensor) -> torch.Tensor:
        assert [tensor.device.type for tensor in inputs] == ["meta"] * 4 + ["cpu"] * 3
        frames, _, height, width = inputs[0].shape
        return torch.zeros(frames, height, width, 3, dtype=torch.uint8)


def test_what_depends_on_the_portrait_alone_stays_on_the_engines_device(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.Tensor, "cpu", lambda tensor: torch.zeros(tensor.shape))
    puppet = Puppet(MetaEngine())
    assert puppet.card.device == "meta"
    items = [(_sitter(puppet), _motion(((3, 0, 0), OPEN))) for _ in range(2)]
    assert all(tensor.device.type == "meta" for tensor in items[0][0].tensors)
    assert puppet.size_bytes(items[0][0]) == Puppet().size_bytes(_sitter(Puppet()))
    with OneDevice():
        groups = puppet.animate(items)
    assert [group.points.shape for group in groups] == [(1, 478, 2)] * 2
