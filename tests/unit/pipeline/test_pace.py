"""Live pace: an early start, then never far ahead of the viewer, by a clock set by hand."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.pipeline.config import SessionConfig
from app.pipeline.pace import FreePace, LivePace, Pace
from app.pipeline.session import render
from app.pipeline.viewer import Viewer
from tests.unit.pipeline.test_session import FakeModels

FPS = Fraction(25)
RATES = [Fraction(1), Fraction(5), FPS, Fraction(30000, 1001), Fraction(60)]


class Time:
    """Passes only while somebody sleeps, or where a test says so."""

    def __init__(self) -> None:
        self.now_s = 50.0
        self.slept_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now_s += seconds
        self.slept_s += seconds


def paced(
    fps: Fraction, config: SessionConfig | None = None
) -> tuple[LivePace, Viewer, Time, SessionConfig]:
    config, time = config or SessionConfig(), Time()
    viewer = Viewer(fps, time)
    return LivePace(fps, config, viewer, time.sleep), viewer, time, config


def lengths(pace: Pace, num_frames: int) -> list[int]:
    groups = list(pace.groups(num_frames))
    joined = [frame for group in groups for frame in range(num_frames)[group]]
    assert joined == list(range(num_frames))
    return [group.stop - group.start for group in groups]


def test_free_groups_are_equal_and_the_last_one_is_the_rest() -> None:
    assert lengths(FreePace(SessionConfig()), 20) == [8, 8, 4]


def test_live_groups_begin_small_and_grow() -> None:
    assert lengths(paced(FPS)[0], 30) == [2, 4, 8, 8, 8]
    assert lengths(paced(FPS)[0], 1) == [1]


@pytest.mark.parametrize(
    ("fps", "lead_s", "largest"), [(FPS, 0.2, 5), (Fraction(1), 0.5, 1), (Fraction(60), 9.0, 8)]
)
def test_a_live_group_is_no_longer_than_the_lead(
    fps: Fraction, lead_s: float, largest: int
) -> None:
    assert max(lengths(paced(fps, SessionConfig(live_lead_s=lead_s))[0], 100)) == largest


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(RATES),
    st.floats(0.05, 3),
    st.lists(st.floats(0, 0.4), min_size=1, max_size=8),
)
async def test_what_leaves_is_never_further_ahead_than_the_lead_and_nothing_waits_when_behind(
    fps: Fraction, lead_s: float, costs: list[float]
) -> None:
    pace, viewer, time, _ = paced(fps, SessionConfig(live_lead_s=lead_s))
    left, began_s = 0, None
    for number, group in enumerate(pace.groups(60)):
        slept_s, ahead_s = time.slept_s, viewer.until_s(group.stop - 2)
        await pace.allow(group)
        if began_s is None or ahead_s <= lead_s:
            assert time.slept_s == slept_s
        else:
            assert time.slept_s - slept_s == pytest.approx(ahead_s - lead_s)
        time.now_s += costs[number % len(costs)]
        leaving = group.stop - 1 - left
        viewer.handed(leaving)
        left += leaving
        if began_s is None and left:
            began_s = time.now_s
        elif began_s is not None:
            assert (left - 1) / fps - (time.now_s - began_s) <= lead_s + 1e-6


@pytest.mark.parametrize("fps", RATES)
async def test_a_session_that_renders_in_time_has_no_late_frame(fps: Fraction) -> None:
    pace, viewer, time, _ = paced(fps)
    left = 0
    for group in pace.groups(200):
        await pace.allow(group)
        time.now_s += 0.8 * (group.stop - group.start) / float(fps)
        viewer.handed(group.stop - 1 - left)
        left = group.stop - 1
    assert viewer.late_frames == 0


async def test_a_session_that_is_too_slow_never_waits_and_its_frames_are_late() -> None:
    pace, viewer, time, _ = paced(FPS)
    left = 0
    for group in pace.groups(250):
        await pace.allow(group)
        time.now_s += 1.5 * (group.stop - group.start) / 25
        viewer.handed(group.stop - 1 - left)
        left = group.stop - 1
    assert time.slept_s == 0
    assert 150 < viewer.late_frames < 250


async def test_a_paced_session_yields_all_frames_in_order() -> None:
    pace, viewer, time, config = paced(FPS)
    models, seen = FakeModels(), []
    async for group in render(models.scene(60), config, pace):
        viewer.handed(len(group.pixels))
        seen += [int(frame[0, 0, 0]) for frame in group.pixels]
    assert seen == list(range(60))
    assert time.slept_s == pytest.approx(58 / 25 - config.live_lead_s, abs=0.33)
