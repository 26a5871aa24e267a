"""The portrait role played by LivePortrait, with made-up weights and a fake for the heavy nets."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from app.driving import Driven, DrivingFaces, HeadMotion, Performance, TransferSettings
from app.models.liveportrait.animator import Animator
from app.topology import NOSE_TIP
from app.values import FaceMesh, Motion, Portrait
from app.variants.liveportrait.model import LivePortrait
from app.variants.liveportrait.nets import Nets, load_nets
from app.variants.liveportrait.pose import rotations
from app.weights.seeded import seeded
from tests.fake_face import fake_mesh

SIDE = 300


class FakeAnimator:
    """Draws every frame in one grey, the first volume's mean; remembers what it was given."""

    backend = "fake"
    precision = "fp32"
    device = torch.device("cpu")

    def __init__(self) -> None:
        self.driving: torch.Tensor = torch.zeros(0)

    def run(self, *inputs: torch.Tensor) -> torch.Tensor:
        volume, source, self.driving = inputs
        assert volume.shape[1:] == (32, 16, 64, 64)
        assert len(volume) == len(source) == len(self.driving)
        return torch.full((len(volume), 512, 512, 3), 90, dtype=torch.uint8)


@pytest.fixture(scope="module")
def nets() -> Nets:
    return load_nets(seeded, "cpu")


@pytest.fixture
def animator() -> FakeAnimator:
    return FakeAnimator()


@pytest.fixture
def model(nets: Nets, animator: FakeAnimator) -> LivePortrait:
    light = Nets(nets.appearance, nets.motion, nets.retargeting, animator)
    return LivePortrait(light, "seeded", "Apache-2.0")


def portrait() -> tuple[Portrait, FaceMesh]:
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    return Portrait(pixels), fake_mesh((SIDE / 2, SIDE / 2), SIDE / 3)


def motion(*poses: tuple[float, float, float], closure: float = 0.0) -> Motion:
    pose = np.array(poses, np.float32).reshape(-1, 3)
    return Motion(pose, np.full((len(pose), 2), closure, np.float32))


def points_of(model: LivePortrait, moves: Motion) -> NDArray[np.float32]:
    (group,) = model.animate([(model.prepare(*portrait()), moves)])
    return group.points


def test_a_head_at_rest_keeps_its_mesh_but_for_the_stitching(model: LivePortrait) -> None:
    points = points_of(model, motion((0, 0, 0)))[0]
    moved = points - portrait()[1].points[:, :2]
    assert np.ptp(moved, axis=0).max() < 0.01  # all by the same


@pytest.mark.parametrize(
    ("pose", "axis", "sign"), [((15, 0, 0), 0, 1), ((0, 15, 0), 1, 1)], ids=["yaw", "pitch"]
)
def test_the_nose_goes_where_the_head_turns(
    model: LivePortrait, pose: tuple[float, float, float], axis: int, sign: int
) -> None:
    rest, turned = points_of(model, motion((0, 0, 0), pose))
    centred = [points - points.mean(axis=0) for points in (rest, turned)]
    assert sign * (centred[1][NOSE_TIP] - centred[0][NOSE_TIP])[axis] > 1


def test_a_roll_turns_clockwise_as_seen(model: LivePortrait) -> None:
    rest, rolled = points_of(model, motion((0, 0, 0), (0, 0, 20)))
    left, right = 33, 263
    line = [points[right] - points[left] for points in (rest, rolled)]
    angles = [np.degrees(np.arctan2(y, x)) for x, y in line]
    assert angles[1] - angles[0] == pytest.approx(20, abs=3)


def test_shut_eyes_move_key_points_and_open_ones_do_not(
    model: LivePortrait, animator: FakeAnimator
) -> None:
    points_of(model, motion((0, 0, 0)))
    at_rest = animator.driving
    points_of(model, motion((0, 0, 0), closure=1.0))
    assert (animator.driving - at_rest).abs().max() > 1e-4


def test_frames_are_pictures_of_the_photos_size_with_the_crop_in_place(model: LivePortrait) -> None:
    photo, mesh = portrait()
    (group,) = model.animate([(model.prepare(photo, mesh), motion((0, 0, 0), (1, 0, 0)))])
    assert group.pixels.shape == (2, SIDE, SIDE, 3)
    assert (group.pixels[:, SIDE // 2, SIDE // 2] == 90).all()


def test_items_without_frames_are_answered(model: LivePortrait) -> None:
    sitting = model.prepare(*portrait())
    empty, one = model.animate([(sitting, motion()), (sitting, motion((0, 0, 0)))])
    assert (len(empty.pixels), len(one.pixels)) == (0, 1)
    assert model.size_bytes(sitting) > 8_000_000


def test_the_animator_gives_pixels(nets: Nets, model: LivePortrait) -> None:
    sitting = model.prepare(*portrait())
    key_points = torch.from_numpy(sitting.key_points)
    faces = nets.animator.run(sitting.volume, key_points, key_points)
    assert faces.shape == (1, 512, 512, 3)
    assert faces.dtype == torch.uint8
    assert faces.float().std() > 5
    assert isinstance(nets.animator._net, Animator)  # type: ignore[attr-defined]


def driven(yaws: list[float], settings: TransferSettings) -> Driven:
    yaw = np.array(yaws, np.float32)[:, None]
    none = np.zeros_like(yaw)
    frames = len(yaws)
    motion = HeadMotion(
        rotations(none, yaw, none),
        np.zeros((frames, 21, 3), np.float32),
        np.ones((frames, 1), np.float32),
        np.zeros((frames, 3), np.float32),
    )
    eyes = np.full((frames, 2), 0.3, np.float32)
    whole = Performance(motion, eyes, none)
    return Driven(whole, whole[:1], settings)


def test_a_driven_head_starts_as_the_photo_and_goes_where_the_driving_goes(
    model: LivePortrait, animator: FakeAnimator
) -> None:
    sitting = model.prepare(*portrait())
    (group,) = model.animate([(sitting, driven([0, -15, -30], TransferSettings(stitching=False)))])
    np.testing.assert_allclose(animator.driving[0], sitting.key_points[0], atol=1e-5)
    np.testing.assert_allclose(group.points[0], portrait()[1].points[:, :2], atol=0.05)
    noses = (group.points - group.points.mean(axis=1, keepdims=True))[:, NOSE_TIP, 0]
    assert noses[0] + 1 < noses[1] < noses[2] - 1  # LivePortrait's negative yaw looks right


def test_the_multiplier_moves_mesh_and_key_points_alike(
    model: LivePortrait, animator: FakeAnimator
) -> None:
    sitting = model.prepare(*portrait())

    def moved(multiplier: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        settings = TransferSettings(multiplier=multiplier, stitching=False)
        (group,) = model.animate([(sitting, driven([0, -20], settings))])
        keys = animator.driving.numpy()
        return keys[1] - keys[0], group.points[1] - group.points[0]

    for whole, half in zip(moved(1.0), moved(0.5), strict=True):
        np.testing.assert_allclose(half, whole / 2, atol=1e-2)


def test_faces_of_several_videos_are_watched_together_and_split(model: LivePortrait) -> None:
    def faces(count: int, seed: int) -> DrivingFaces:
        crops = np.random.default_rng(seed).integers(0, 256, (count, 256, 256, 3), np.uint8)
        mesh = fake_mesh((128, 128), 110).points
        turns = np.repeat(np.eye(3, dtype=np.float32)[None], count, 0)
        return DrivingFaces(crops, np.repeat(mesh[None], count, 0), turns)

    one, two = faces(1, 0), faces(2, 1)
    together = model.watch([one, two])
    alone = [*model.watch([one]), *model.watch([two])]
    assert [len(part) for part in together] == [1, 2]
    for a, b in zip(together, alone, strict=True):
        np.testing.assert_allclose(a.rows(), b.rows(), atol=1e-4)


def test_the_real_nets_give_a_session_the_same_frames_in_company_and_alone(nets: Nets) -> None:
    """In one bucket of two frames; a frame of these nets takes seconds on a CPU."""
    engine = nets.animator
    engine._buckets, engine._largest = (2,), 2  # type: ignore[attr-defined]
    try:
        model = LivePortrait(nets, "seeded", "Apache-2.0")
        items = []
        for seed, yaw in ((0, 8.0), (1, -8.0)):
            pixels = np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
            mesh = fake_mesh((SIDE / 2, SIDE / 2), SIDE / 3)
            items.append((model.prepare(Portrait(pixels), mesh), motion((yaw, 0, 0))))
        alone = [model.animate([item])[0].pixels.astype(int) for item in items]
        shared = [group.pixels.astype(int) for group in model.animate(items)]
    finally:
        engine._buckets, engine._largest = (), 1  # type: ignore[attr-defined]
    same = max(float(np.abs(a - b).mean()) for a, b in zip(alone, shared, strict=True))
    assert max(int(np.abs(a - b).max()) for a, b in zip(alone, shared, strict=True)) <= 1
    swapped = float(np.abs(alone[0] - shared[1]).mean())
    assert swapped > 1000 * max(same, 0.005)
