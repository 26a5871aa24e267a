from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.face.analyzer import FaceAnalyzer
from app.face.choice import face_px
from app.face.tracking import FaceTracker, Track
from app.topology import NOSE_TIP
from app.values import FaceMesh

Image = NDArray[np.uint8]


class Counting:
    """An analyzer that counts how it is asked."""

    def __init__(self, analyzer: FaceAnalyzer) -> None:
        self.glances = self.searches = 0
        self.fit = analyzer.fit
        self._analyzer = analyzer

    def glance(self, pixels: Image) -> list[FaceMesh]:
        self.glances += 1
        return self._analyzer.glance(pixels)

    def search(self, pixels: Image) -> list[FaceMesh]:
        self.searches += 1
        return self._analyzer.search(pixels)


@pytest.fixture
def counting(analyzer: FaceAnalyzer) -> Counting:
    return Counting(analyzer)


@pytest.fixture
def tracker(counting: Counting) -> FaceTracker:
    return FaceTracker(counting, Track())  # type: ignore[arg-type]


def moved(pixels: Image, x: float, y: float) -> Image:
    height, width = pixels.shape[:2]
    matrix = np.array([[1, 0, x], [0, 1, y]], np.float32)
    return np.asarray(cv2.warpAffine(pixels, matrix, (width, height)), np.uint8)


def nose(mesh: FaceMesh | None) -> NDArray[np.float32]:
    assert mesh is not None
    return mesh.points[NOSE_TIP, :2]


def test_a_moving_face_is_followed_without_searching_again(
    tracker: FaceTracker, counting: Counting, astronaut: Image
) -> None:
    start = nose(tracker.follow(astronaut, 0))
    for index in range(1, 11):
        mesh = tracker.follow(moved(astronaut, 6 * index, 3 * index), index / 25)
        np.testing.assert_allclose(nose(mesh) - start, (6 * index, 3 * index), atol=3)
    assert (counting.glances, counting.searches) == (1, 0)


def test_a_face_that_leaves_is_lost_and_found_again(
    tracker: FaceTracker, counting: Counting, astronaut: Image
) -> None:
    empty = np.full_like(astronaut, 128)
    tracker.follow(astronaut, 0)
    assert [tracker.follow(empty, index / 25) for index in range(1, 11)] == [None] * 10
    assert counting.searches == 1  # one thorough search a second, a glance at every frame
    back = tracker.follow(moved(astronaut, 100, 0), 11 / 25)
    assert nose(back)[0] == pytest.approx(326, abs=6)


def test_of_two_faces_the_one_followed_is_found_again(
    analyzer: FaceAnalyzer, astronaut: Image
) -> None:
    pair = np.hstack([astronaut, astronaut])
    for index in (0, 1):
        tracker = FaceTracker(analyzer, Track(face_index=index))
        first = nose(tracker.follow(pair, 0))
        tracker.follow(np.zeros_like(pair), 0.04)
        again = nose(tracker.follow(moved(pair, 10, 0), 0.08))
        np.testing.assert_allclose(again - first, (10, 0), atol=3)


def test_a_cut_in_time_starts_anew(
    tracker: FaceTracker, counting: Counting, astronaut: Image
) -> None:
    tracker.follow(astronaut, 0)
    tracker.follow(moved(astronaut, 150, 100), 2.0)
    assert counting.glances == 2
    tracker.follow(astronaut, 1.0)
    assert counting.glances == 3


def test_a_real_speaker_is_followed_and_steadied(
    analyzer: FaceAnalyzer, shared_media: Path
) -> None:
    from app.media.frames import decode_frames

    class Raw:
        """A smoothing that keeps what it is given."""

        def __init__(self) -> None:
            self.rows: list[NDArray[np.float32]] = []

        def reset(self) -> None:
            self.rows.clear()

        def smooth(self, points: NDArray[np.float32], time_s: float) -> NDArray[np.float32]:
            self.rows.append(points)
            return points

    steady, raw = FaceTracker(analyzer, Track()), FaceTracker(analyzer, Track(smoothing=Raw()))  # type: ignore[arg-type]
    video = (shared_media / "talking" / "presenter.mp4").read_bytes()
    tracks: list[list[NDArray[np.float32]]] = [[], []]
    for index, pixels in zip(range(40), decode_frames(video), strict=False):
        for track, tracker in zip(tracks, (steady, raw), strict=True):
            mesh = tracker.follow(pixels, index / 30)
            assert mesh is not None
            assert 200 < face_px(mesh.points) < 260
            track.append(mesh.points[:, :2])
    after, before = (
        np.median(np.linalg.norm(np.diff(np.stack(track), 2, axis=0), axis=2)) for track in tracks
    )
    assert after < 0.85 * before
    assert np.linalg.norm(tracks[0][-1] - tracks[1][-1], axis=1).mean() < 3
