"""Blinks that are counted and timed, and the place that must stand still."""

import numpy as np
import pytest

from app.quality.blinks import blink_spans, closure_seen
from app.quality.outside import largest_change, outside
from tests.fake_face import fake_mesh


def test_blinks_are_counted_and_timed_and_twitches_are_not() -> None:
    closure = np.zeros(100, np.float32)
    closure[20:26] = [0.3, 0.9, 1, 0.9, 0.3, 0.1]
    closure[50:53] = [0.2, 0.4, 0.2]
    (span,) = blink_spans(closure, 25)
    assert span[0] == pytest.approx(19.5 / 25, abs=1e-3)
    assert span[1] == pytest.approx(24.75 / 25, abs=1e-3)


def test_shut_eyes_are_known_by_the_least_opening() -> None:
    openness = np.full(50, 0.3, np.float32)
    openness[20] = 0.12
    closure = closure_seen(openness)
    assert closure[20] == pytest.approx(1)
    assert closure[0] == 0


def test_the_place_outside_is_away_from_head_and_shoulders() -> None:
    points = fake_mesh((200, 150), 80).points
    place = outside(points, 400, 400)
    assert place[10, 10]
    assert not place[150, 200]
    assert not place[350, 200]
    photo = np.zeros((400, 400, 3), np.uint8)
    frames = np.stack([photo, photo])
    frames[1, 150, 200] = 99
    assert largest_change(frames, photo, place) == 0
    frames[1, 10, 10, 2] = 7
    assert largest_change(frames, photo, place) == 7
