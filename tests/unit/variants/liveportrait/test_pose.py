import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.variants.liveportrait.motion import FaceMotion, extracted
from app.variants.liveportrait.pose import degrees, rotations, transform
from tests.parity import Fixture
from tests.unit.variants.liveportrait.parity import check

ANGLE = st.floats(-90, 90, width=32)


def column(value: float) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.full((1, 1), value, np.float32)


def test_pose_equals_the_published() -> None:
    fixture = Fixture("pose")
    given = fixture.inputs
    names = ("pitch", "yaw", "roll")
    found = {name: degrees(given[f"{name}_logits"]) for name in names}
    rest = (given["exp"], given["scale"], given["t"])
    of_degrees = rotations(*(given[f"{name}_deg"] for name in names))
    of_logits = rotations(*found.values())
    check(
        fixture.compare(
            {
                **{f"{name}_from_logits": angle[:, 0] for name, angle in found.items()},
                "rotation_from_degrees": of_degrees,
                "rotation_from_logits": of_logits,
                "x_s_from_logits": transform(given["kp"], of_logits, *rest),
                "x_s_from_deg": transform(given["kp"], of_degrees, *rest),
            }
        )
    )


def test_extracted_motion_is_that_of_the_heads() -> None:
    fixture = Fixture("pose")
    given = fixture.inputs
    motion = extracted(
        given["pitch_logits"],
        given["yaw_logits"],
        given["roll_logits"],
        given["t"],
        given["exp"].reshape(2, 63),
        given["scale"],
        given["kp"].reshape(2, 63),
    )
    check(
        fixture.compare(
            {"rotation_from_logits": motion.rotation, "x_s_from_logits": motion.key_points()}
        )
    )


def test_a_sure_bin_gives_its_angle() -> None:
    logits = np.full((66, 66), -1e4, np.float32)
    np.fill_diagonal(logits, 1e4)
    assert degrees(logits)[:, 0] == pytest.approx(np.arange(66) * 3 - 97.5)


@given(ANGLE, ANGLE, ANGLE)
def test_rotations_are_right_handed_and_keep_lengths(pitch: float, yaw: float, roll: float) -> None:
    rotation = rotations(column(pitch), column(yaw), column(roll))[0]
    assert np.abs(rotation @ rotation.T - np.eye(3)).max() < 1e-6
    assert np.linalg.det(rotation) == pytest.approx(1, abs=1e-5)


def test_rolling_turns_the_x_axis_towards_y() -> None:
    right = np.array([1, 0, 0], np.float32)
    turned = right @ rotations(column(0), column(0), column(90))[0]
    assert turned == pytest.approx([0, 1, 0], abs=1e-6)


def test_depth_of_the_translation_is_never_added() -> None:
    zero = np.zeros((1, 21, 3), np.float32)
    t = np.array([[0.1, -0.2, 5.0]], np.float32)
    x = transform(zero, np.eye(3, dtype=np.float32)[None], zero, column(1.3), t)
    assert x[0, 0] == pytest.approx([0.1, -0.2, 0])


def test_one_face_serves_every_frame_and_slices_keep_it() -> None:
    rng = np.random.default_rng(0)
    rotation = rotations(*(rng.normal(0, 20, (5, 1)).astype(np.float32) for _ in range(3)))
    exp, t = (rng.normal(0, 0.1, (5, *s)).astype(np.float32) for s in ((21, 3), (3,)))
    kp = rng.normal(0, 0.3, (1, 21, 3)).astype(np.float32)
    motion = FaceMotion(rotation, exp, np.ones((5, 1), np.float32), t, kp)
    x = motion.key_points()
    assert x.dtype == np.float32
    assert len(motion[1:3]) == 2
    np.testing.assert_array_equal(motion[1:3].key_points(), x[1:3])
