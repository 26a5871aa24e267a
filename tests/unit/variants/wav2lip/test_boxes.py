import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.topology import CHIN, FACE_OVAL, FOREHEAD
from app.variants.wav2lip.boxes import face_boxes, smoothed, smoothed_as_published
from tests.parity import Fixture


def test_boxes_are_smoothed_as_published() -> None:
    fixture = Fixture("smooth_boxes")
    boxes = fixture.inputs["boxes"]
    before = boxes.copy()
    (row,) = fixture.compare({"smoothed": smoothed_as_published(boxes)})
    assert row.ok
    np.testing.assert_array_equal(boxes, before)


@pytest.mark.parametrize("frames", [1, 3, 5])
def test_short_videos_are_smoothed_too(frames: int) -> None:
    boxes = np.arange(4 * frames).reshape(frames, 4)
    expected = boxes.copy()
    for frame in range(frames):
        expected[frame] = expected[max(0, frames - 5) :].mean(axis=0)
    np.testing.assert_array_equal(smoothed_as_published(boxes), expected)


def test_our_smoothing_does_not_lag() -> None:
    moving = np.arange(40, dtype=np.float32)[:, None] * np.array([1, -2, 3, 4], np.float32)
    np.testing.assert_allclose(smoothed(moving)[6:-6], moving[6:-6], atol=1e-3)


def test_our_smoothing_calms_a_detectors_jitter() -> None:
    jitter = np.random.default_rng(0).normal(0, 1, (200, 4)).astype(np.float32)
    assert smoothed(jitter).std() < 0.5
    assert np.abs(np.diff(smoothed(jitter), axis=0)).mean() < 0.2


@given(st.integers(1, 30), st.floats(0, 5))
def test_a_still_box_stays(frames: int, deviation: float) -> None:
    still = np.tile(np.array([3.5, 4, 50, 70], np.float32), (frames, 1))
    np.testing.assert_allclose(smoothed(still, deviation), still, rtol=1e-6)


def test_a_face_box_holds_the_oval_and_room_for_the_chin() -> None:
    points = np.zeros((2, 478, 3), np.float32)
    around = np.linspace(0, 2 * np.pi, len(FACE_OVAL), endpoint=False)
    points[:, list(FACE_OVAL), 0] = 100 + 40 * np.sin(around)
    points[:, list(FACE_OVAL), 1] = 80 - 50 * np.cos(around)
    points[1, :, :2] += 7
    boxes = face_boxes(points)
    assert boxes[0] == pytest.approx((60, points[0, FOREHEAD, 1], 140, 136))
    assert boxes[0, 3] > points[0, CHIN, 1]
    assert boxes[1] - boxes[0] == pytest.approx([7] * 4)
