import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.face.detector import Array, Detector, anchors, letterbox, overlap, suppress


class FakeNet:
    """Answers with one confident anchor."""

    def __init__(self, anchor: int, raw: list[float], count: int = 896) -> None:
        self.scores = np.full((1, count, 1), -10, np.float32)
        self.scores[0, anchor] = 2
        self.raw = np.zeros((1, count, 16), np.float32)
        self.raw[0, anchor] = raw
        self.seen: Array = np.zeros(0, np.float32)

    def run(self, image: Array) -> dict[str, Array]:
        self.seen = image
        return {"regressors": self.raw, "classificators": self.scores}


def test_short_range_has_896_anchors_and_full_range_2304() -> None:
    short = anchors(((16, 2), (8, 6)))
    assert short.shape == (896, 2)
    assert anchors(((48, 1),)).shape == (2304, 2)
    # Two per cell of 1/16, row by row, then six per cell of 1/8.
    np.testing.assert_allclose(short[[0, 1, 2, 32]] * 32, [[1, 1], [1, 1], [3, 1], [1, 3]])
    np.testing.assert_allclose(short[[512, 517, 518, 895]] * 16, [[1, 1], [1, 1], [3, 1], [15, 15]])


@settings(deadline=None)
@given(st.integers(1, 700), st.integers(1, 700), st.sampled_from([128, 192]))
def test_letterbox_keeps_the_image_inside_and_maps_its_corners_back(
    height: int, width: int, side: int
) -> None:
    square, placement = letterbox(np.full((height, width, 3), 200, np.uint8), side)
    rows, columns = np.nonzero(square[:, :, 0])
    inside = np.array(
        [[columns.min(), rows.min()], [columns.max() + 1, rows.max() + 1]], np.float32
    )
    assert square.shape == (side, side, 3)
    assert max(np.ptp(columns), np.ptp(rows)) == side - 1
    expected = [[0, 0], [width, height]]
    np.testing.assert_allclose(placement.to_image(inside), expected, rtol=1e-4, atol=1e-3)


def test_overlap_is_intersection_over_union() -> None:
    box = np.array([0, 0, 2, 2], np.float32)
    others = np.array([[0, 0, 2, 2], [1, 0, 3, 2], [2, 2, 3, 3], [0, 0, 0, 0]], np.float32)
    np.testing.assert_allclose(overlap(box, others), [1, 1 / 3, 0, 0])


def test_suppress_averages_a_cluster_by_score_and_keeps_others() -> None:
    rows = np.zeros((3, 16), np.float32)
    rows[:, :4] = [[0, 0, 10, 10], [1, 0, 11, 10], [30, 30, 40, 40]]
    kept = suppress(rows, np.array([0.9, 0.6, 0.7], np.float32), 0.3)
    assert [round(score, 3) for _, score in kept] == [0.9, 0.7]
    np.testing.assert_allclose(kept[0][0][:4], [0.4, 0, 10.4, 10], atol=1e-5)
    np.testing.assert_allclose(kept[1][0][:4], [30, 30, 40, 40])


def test_suppress_of_nothing_is_nothing() -> None:
    assert suppress(np.zeros((0, 16), np.float32), np.zeros(0, np.float32), 0.3) == []


def test_detect_decodes_offsets_from_the_anchor_into_image_px() -> None:
    # Anchor 512 is centred at 8, 8 of the 128 px square, which is 4 image px each.
    raw = [2.0, 4.0, 10.0, 20.0] + [1.0, -1.0] * 6
    detector = Detector.short_range(FakeNet(512, raw), 0.5, 0.3)
    (face,) = detector.detect(np.zeros((512, 512, 3), np.uint8))
    np.testing.assert_allclose(face.box, [20, 8, 60, 88], atol=1e-3)
    np.testing.assert_allclose(face.key_points, [[36, 28]] * 6, atol=1e-3)
    assert face.score == pytest.approx(1 / (1 + np.exp(-2)))
    assert face.size_px == pytest.approx(80)


@pytest.mark.parametrize(("value", "expected"), [(0, -1), (255, 1)])
def test_the_net_sees_pixels_in_minus_one_to_one(value: int, expected: float) -> None:
    net = FakeNet(0, [0.0] * 16)
    Detector.short_range(net, 0.5, 0.3).detect(np.full((64, 64, 3), value, np.uint8))
    assert net.seen.shape == (1, 128, 128, 3)
    assert net.seen.dtype == np.float32
    np.testing.assert_allclose(net.seen, expected)


def test_scores_below_the_least_are_dropped() -> None:
    net = FakeNet(0, [0.0] * 16)
    assert Detector.short_range(net, 0.95, 0.3).detect(np.zeros((8, 8, 3), np.uint8)) == []
