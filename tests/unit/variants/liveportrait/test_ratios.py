import numpy as np
import pytest

from app.variants.liveportrait import landmarks
from app.variants.liveportrait.ratios import eye_inputs, eye_ratios, lip_inputs, lip_ratios
from tests.parity import Fixture
from tests.unit.variants.liveportrait.parity import check


def test_ratios_equal_the_published() -> None:
    fixture = Fixture("ratios")
    points = fixture.inputs["landmarks"]
    eyes, lips = eye_ratios(points), lip_ratios(points)
    check(
        fixture.compare(
            {
                "eye": eyes,
                "lip": lips,
                "combined_eye": eye_inputs(eyes, fixture.inputs["c_d_eyes"]),
                "combined_lip": lip_inputs(lips, fixture.inputs["c_d_lip"]),
                "combined_lip_zero": lip_inputs(lips, np.zeros((1, 1), np.float32)),
            }
        )
    )


@pytest.mark.parametrize("count", [203, 478])
def test_a_ratio_is_opening_over_width_in_any_set_that_has_lids(count: int) -> None:
    layout = landmarks.LAYOUTS[count]
    points = np.zeros((2, count, 2), np.float32)
    for quad, opening in ((layout.left_lids, 3), (layout.right_lids, 2), (layout.lips, 1)):
        assert quad is not None
        points[:, list(quad)] = [(5, 0), (5, opening), (0, 0), (10, 0)]
    assert eye_ratios(points) == pytest.approx(np.array([[0.3, 0.2]] * 2), abs=1e-6)
    assert lip_ratios(points) == pytest.approx(np.array([[0.1]] * 2), abs=1e-6)


def test_sets_without_lids_are_refused() -> None:
    points = np.zeros((1, 5, 2), np.float32)
    with pytest.raises(ValueError, match="eyelids"):
        eye_ratios(points)
    with pytest.raises(ValueError, match="lips"):
        lip_ratios(points)
    with pytest.raises(ValueError, match="7 points"):
        eye_ratios(points[:, [0] * 7])
