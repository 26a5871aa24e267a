"""Who plays a video from its first fragment on needs each frame in time, or half a second later."""

from fractions import Fraction

import pytest

from app.pipeline.viewer import Viewer

FPS = Fraction(25)


class Clock:
    """A clock that is set by hand."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def late(groups: list[tuple[float, int]], fps: Fraction = FPS) -> int:
    """Return how many frames were late of groups handed over at given seconds."""
    clock = Clock()
    viewer = Viewer(fps, clock)
    counted = 0
    for at_s, frames in groups:
        clock.now_s = 100 + at_s
        counted += viewer.handed(frames)
    assert viewer.late_frames == counted
    return counted


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ([(1.0, 8), (1.3, 8), (1.6, 8)], 0),
        ([(1.0, 8), (1.8125, 8)], 0),  # the ninth frame may come until 1.82 s
        ([(1.0, 8), (1.83, 8)], 1),
        ([(1.0, 8), (2.0, 8)], 5),  # needed until then: frames 8 to 12
        ([(1.0, 8), (9.0, 8), (9.1, 8)], 16),
        ([(5.0, 8)], 0),  # nobody plays before the first fragment
        ([(0.0, 0), (5.0, 8), (5.4, 0), (5.5, 8)], 0),
    ],
    ids=["ahead", "just in time", "by one", "a few", "all that follow", "first", "no frames"],
)
def test_frames_are_late_that_come_half_a_second_after_they_are_needed(
    groups: list[tuple[float, int]], expected: int
) -> None:
    assert late(groups) == expected


def test_rates_that_are_no_whole_numbers_are_exact() -> None:
    fps = Fraction(30_000, 1001)
    assert late([(1.0, 30), (2.5, 1)], fps) == 0
    assert late([(1.0, 30), (2.502, 1)], fps) == 1


def test_before_the_viewer_starts_nothing_is_ahead() -> None:
    clock = Clock()
    viewer = Viewer(FPS, clock)
    assert viewer.until_s(50) == 0
    viewer.handed(1)
    assert viewer.until_s(50) == 2
    clock.now_s += 1.5
    assert viewer.until_s(50) == 0.5
