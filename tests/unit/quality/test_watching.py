"""What is measured on meshes, of faces whose truth is known."""

from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from app.quality.watching import Watched, eye_distance, eye_openness, lip_gap, watch
from app.topology import INNER_LIP_LOWER, INNER_LIP_UPPER, NOSE_TIP
from app.values import BLENDSHAPES, FaceMesh
from tests.fake_face import fake_mesh

if TYPE_CHECKING:
    from app.face.analyzer import FaceAnalyzer

SIDE = 200


def face(opening_px: float = 0.0) -> NDArray[np.float32]:
    points = fake_mesh((SIDE / 2, SIDE / 2), SIDE / 2).points.copy()
    points[list(INNER_LIP_LOWER)] = points[list(INNER_LIP_UPPER)]
    points[list(INNER_LIP_LOWER), 1] += opening_px
    return points


def turned(points: NDArray[np.float32], yaw_deg: float, scale: float) -> NDArray[np.float32]:
    sin, cos = np.sin(np.radians(yaw_deg)), np.cos(np.radians(yaw_deg))
    turn = np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]])
    middle = points.mean(axis=0)
    there: NDArray[np.float32] = (points - middle) @ turn * scale + middle + (5, 3, 0)
    return there.astype(np.float32)


def watched(points: list[NDArray[np.float32]]) -> Watched:
    return Watched(np.stack(points), np.ones(len(points), np.bool_))


class FakeAnalyzer:
    """Reads how far the mouth is open out of the first pixel; 255 stands for a lost face."""

    def glance(self, pixels: NDArray[np.uint8]) -> list[FaceMesh]:
        opening = int(pixels[0, 0, 0])
        mesh = FaceMesh(face(opening), np.zeros(BLENDSHAPES, np.float32), 1.0)
        return [] if opening == 255 else [mesh]


def test_the_gap_grows_with_the_opening_and_not_with_the_size_of_the_face() -> None:
    wide, wider = lip_gap(face(4)), lip_gap(face(8))
    assert wider == pytest.approx(2 * wide, rel=1e-5)
    assert lip_gap(face(4) * 3) == pytest.approx(wide, rel=1e-5)


def test_lost_faces_are_counted_and_keep_their_place() -> None:
    frames = [np.full((4, 4, 3), value, np.uint8) for value in (0, 6, 255, 9)]
    seen = watch(frames, cast("FaceAnalyzer", FakeAnalyzer()), face())
    assert seen.seen.tolist() == [True, True, False, True]
    assert seen.gap[2] == seen.gap[1] < seen.gap[3]


def test_a_turned_face_is_not_bent_and_a_pulled_nose_is() -> None:
    still = face()
    bent = still.copy()
    bent[NOSE_TIP, 0] += 0.2 * eye_distance(still)
    distortion = watched([turned(still, 12, 1.1), bent]).distortion(still)
    assert distortion[0] < 1e-3
    assert distortion[1] > 0.03


def test_jitter_is_the_deviation_in_percent_of_the_eyes_distance() -> None:
    still = face()
    step = 0.01 * eye_distance(still)
    shaken = [still + np.array([sign * step, 0, 0], np.float32) for sign in (1, -1, 1, -1)]
    assert watched(shaken).jitter() == pytest.approx(1, rel=1e-3)
    assert watched([still] * 4).jitter() == pytest.approx(0, abs=1e-4)


def test_openness_does_not_depend_on_size() -> None:
    still = face()
    assert eye_openness(still) == pytest.approx(eye_openness(2 * still), rel=1e-5)
    assert eye_openness(still) > 0.1
