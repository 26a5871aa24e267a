"""The square that follows a driving face, and what it takes from the movement."""

import numpy as np

from app.driving import DRIVING_PX, HeadMotion, Performance
from app.topology import NOSE_TIP
from app.variants.liveportrait.driving import DrivingSquare
from tests.fake_face import fake_mesh

FRAMES = 200
PICTURE = np.zeros((400, 400, 3), np.uint8)


def walking() -> np.ndarray:
    """Return a face that walks 80 px to the right and comes nearer, (T, 478, 3)."""
    share = np.minimum(np.arange(FRAMES) / 50, 1)
    return np.stack([fake_mesh((150 + 80 * s, 200), 100 * (1 + 0.2 * s)).points for s in share])


def test_what_the_square_follows_is_given_back_exactly() -> None:
    points = walking()
    square, made = DrivingSquare(points[:1]), []
    for start in range(0, FRAMES, 8):
        part = points[start : start + 8]
        watched = square.cut([PICTURE] * len(part), part)
        # A motion extractor that sees the nose tip's place as t, and a face's size as scale.
        nose = watched.faces.points[:, NOSE_TIP]
        size = np.ptp(watched.faces.points[:, :, 1], axis=1)[:, None]
        t = np.zeros((len(part), 3), np.float32)
        t[:, :2] = nose[:, :2] / (DRIVING_PX / 2) - 1
        motion = HeadMotion(
            watched.faces.rotation, np.zeros((len(part), 21, 3), np.float32), size, t
        )
        seen = watched.in_first(Performance(motion)).motion
        made.append(np.concatenate([seen.t[:, :2], seen.scale], axis=1))
    seen_all = np.concatenate(made)
    side = 2 * 80 / (seen_all[-1, 0] - seen_all[0, 0])
    np.testing.assert_allclose(
        seen_all[:, 0] - seen_all[0, 0],
        2 * (points[:, NOSE_TIP, 0] - points[0, NOSE_TIP, 0]) / side,
        atol=2e-3,
    )
    np.testing.assert_allclose(seen_all[-1, 2] / seen_all[0, 2], 1.2, rtol=1e-3)


def test_the_face_is_in_the_middle_again_once_it_stays() -> None:
    points = walking()
    square = DrivingSquare(points[:1])
    middles = square.cut([PICTURE] * FRAMES, points).faces.points[:, :, :2].mean(axis=1)
    assert abs(middles[50, 0] - middles[0, 0]) > 30
    assert abs(middles[-1, 0] - middles[0, 0]) < 8


def test_groups_do_not_matter() -> None:
    points = walking()[:40]
    one, several = DrivingSquare(points[:1]), DrivingSquare(points[:1])
    whole = one.cut([PICTURE] * 40, points)
    parts = [several.cut([PICTURE] * 8, points[s : s + 8]) for s in range(0, 40, 8)]
    np.testing.assert_allclose(whole.shift, np.concatenate([p.shift for p in parts]), atol=1e-5)
    np.testing.assert_allclose(whole.zoom, np.concatenate([p.zoom for p in parts]), atol=1e-6)
