"""The judge's figures and sheets, over videos whose truth is known."""

from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from app.face.analyzer import FaceAnalyzer
from app.quality.sheet import CLOSE_UP_PX, contact_sheet, judge, lip_gap
from app.topology import INNER_LIP_LOWER, INNER_LIP_UPPER
from app.values import BLENDSHAPES, FaceMesh
from tests.fake_face import fake_mesh

SIDE = 200


class FakeAnalyzer:
    """Reads how far the mouth is open out of the first pixel; 255 stands for a lost face."""

    def analyze(self, pixels: NDArray[np.uint8]) -> list[FaceMesh]:
        opening = int(pixels[0, 0, 0])
        return [] if opening == 255 else [mesh(opening)]


def mesh(opening_px: float) -> FaceMesh:
    points = fake_mesh((SIDE / 2, SIDE / 2), SIDE / 2).points.copy()
    points[list(INNER_LIP_LOWER)] = points[list(INNER_LIP_UPPER)]
    points[list(INNER_LIP_LOWER), 1] += opening_px
    return FaceMesh(points, np.zeros(BLENDSHAPES, np.float32), 1.0)


def frames(openings: list[int]) -> list[NDArray[np.uint8]]:
    made = []
    for opening in openings:
        frame = np.full((SIDE, SIDE, 3), 90, np.uint8)
        frame[0, 0] = opening
        made.append(frame)
    return made


@pytest.fixture
def analyzer() -> FaceAnalyzer:
    return cast("FaceAnalyzer", FakeAnalyzer())


def test_the_gap_grows_with_the_opening_and_not_with_the_size_of_the_face() -> None:
    wide, wider = lip_gap(mesh(4).points), lip_gap(mesh(8).points)
    assert wider > wide
    assert lip_gap(mesh(4).points * 3) == pytest.approx(wide, rel=1e-5)


def test_figures_tell_a_mouth_that_follows_the_sound(analyzer: FaceAnalyzer) -> None:
    openings = [0, 4, 8, 4, 0, 8, 8, 0]
    level = np.array(openings, np.float32) - 30
    following = judge(frames(openings), level, analyzer)
    against = judge(frames(openings), -level, analyzer)
    assert following.faces_found == 1
    assert following.loud_opening == pytest.approx(1)
    assert against.loud_opening == pytest.approx(-1)
    assert following.opening > 0


def test_lost_faces_are_counted(analyzer: FaceAnalyzer) -> None:
    figures = judge(frames([0, 255, 5, 9]), np.arange(4, dtype=np.float32), analyzer)
    assert figures.faces_found == 0.75


def test_the_sheet_has_all_its_rows(analyzer: FaceAnalyzer) -> None:
    sheet = contact_sheet(frames(list(range(40))), analyzer)
    assert sheet.shape == (4 * CLOSE_UP_PX, 8 * CLOSE_UP_PX, 3)
