"""What live streams may take."""

import heapq

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.serving.budget import FORGET_S, MEASURED_S, SHARE, Budget, Full
from app.serving.capacity import CPU_SHARE, Replicas, shared
from app.serving.speed import Pace
from app.serving.tickets import GRACE_S, LONGEST_S, NEW

FPS = st.integers(1, 60).map(float)
DURATION_S = st.integers(1, 20).map(float)


def test_streams_are_let_in_while_they_fit() -> None:
    budget = Budget(lambda: 0.0)
    capacity = 50 / SHARE
    assert budget.take("a", 25, 10, capacity) is None
    assert budget.take("b", 25, 10, capacity) is None
    assert budget.take("c", 1, 10, capacity) == Full(50, 50, 10)
    budget.give_back("a")
    budget.give_back("a")
    assert budget.take("c", 25, 10, capacity) is None
    assert budget.taken_fps() == 50


def test_when_to_come_back_is_when_enough_streams_have_ended() -> None:
    now_s = 0.0
    budget = Budget(lambda: now_s)
    capacity = 60 / SHARE
    for name, fps, lasts_s in (("a", 10, 5), ("b", 30, 20), ("c", 20, 60)):
        assert budget.take(name, fps, lasts_s, capacity) is None
    now_s = 2.0
    for fps, free_in_s in ((10, 3), (25, 18)):
        full = budget.take("d", fps, 9, capacity)
        assert full is not None
        assert full.free_in_s == free_in_s


def test_who_is_told_to_come_back_gets_in_then_and_those_after_them_later() -> None:
    now_s = 0.0
    budget = Budget(lambda: now_s)
    capacity = 50 / SHARE
    for name in ("a", "b"):
        assert budget.take(name, 25, 10, capacity) is None
    told = [budget.take(name, 25, 10, capacity) for name in "cdefg"]
    times_s = [full.free_in_s for full in told if full]
    assert times_s == [10, 10, 20, 20, 30]
    ends_s = {"a": 10.0, "b": 10.0}
    for name, at_s in sorted(zip("cdefg", times_s, strict=True), key=lambda each: each[1]):
        now_s = at_s
        for ended in [each for each, end_s in ends_s.items() if end_s <= now_s]:
            budget.give_back(ended)
            del ends_s[ended]
        assert budget.take(name, 25, 10, capacity) is None, name
        ends_s[name] = now_s + 10


def test_who_does_not_come_back_is_not_waited_for() -> None:
    now_s = 0.0
    budget = Budget(lambda: now_s)
    assert budget.take("a", 25, 10, 25 / SHARE) is None
    assert budget.take("gone", 25, 10, 25 / SHARE) == Full(25, 25, 10)
    assert budget.take("c", 25, 10, 25 / SHARE) == Full(25, 25, 20)
    now_s = 10.0
    budget.give_back("a")
    now_s += GRACE_S
    assert budget.take("b", 25, 10, 25 / SHARE) is None
    assert budget.take("d", 25, 10, 25 / SHARE) == Full(25, 25, 30 - now_s)


def test_streams_that_take_longer_than_their_video_are_expected_to() -> None:
    now_s = 0.0
    budget = Budget(lambda: now_s)
    for _ in range(40):
        assert budget.take("slow", 25, 10, 25 / SHARE) is None
        now_s += 15
        budget.give_back("slow")
    assert budget.take("slow", 25, 10, 25 / SHARE) is None
    full = budget.take("next", 25, 10, 25 / SHARE)
    assert full is not None
    assert full.free_in_s == pytest.approx(15)


def test_a_stream_that_is_late_is_waited_for_as_long_again() -> None:
    now_s = 0.0
    budget = Budget(lambda: now_s)
    assert budget.take("late", 25, 10, 25 / SHARE) is None
    now_s = 14.0
    assert budget.take("next", 25, 10, 25 / SHARE) == Full(25, 25, 4)


def test_what_never_fits_is_told_the_longest_wait_and_holds_no_place() -> None:
    budget = Budget(lambda: 0.0)
    assert budget.take("wide", 60, 10, 50 / SHARE) == Full(50, 0, LONGEST_S)
    assert budget.take("a", 50, 10, 50 / SHARE) is None
    assert budget.take("b", 50, 10, 50 / SHARE) == Full(50, 50, 10)


def test_before_anything_was_measured_one_is_let_in() -> None:
    budget = Budget(lambda: 0.0)
    assert budget.take("a", 1000, 1, None) is None
    assert budget.taken_fps() == 1000
    assert budget.take("b", 25, 1, None) == Full(None, 1000, MEASURED_S)
    assert budget.take("b", 25, 1, 2000) is None


def test_a_replica_that_knows_nothing_yet_goes_by_what_was_told_last() -> None:
    budget = Budget(lambda: 0.0)
    assert budget.take("a", 25, 10, 50 / SHARE) is None
    assert budget.take("b", 25, 10, None) is None
    assert budget.take("c", 25, 10, None) == Full(50, 50, 10)


def test_a_stream_whose_replica_was_lost_is_forgotten_in_time() -> None:
    now_s = 0.0
    budget = Budget(lambda: now_s)
    capacity = 25 / SHARE
    assert budget.take("lost", 25, 10, capacity) is None
    now_s = 10 + FORGET_S - 1
    assert budget.take("next", 25, 10, capacity) is not None
    now_s += 2
    assert budget.take("next", 25, 10, capacity) is None


@pytest.mark.parametrize(
    ("replicas", "cpus", "share"),
    [
        ({"PortraitAnimator": 1, "LipSync": 1, "Ingress": 1}, 1000.0, 100.0),
        ({"PortraitAnimator": 4, "LipSync": 1, "Ingress": 2}, 1000.0, 300.0),
        ({"PortraitAnimator": 1, "LipSync": 1, "Ingress": 1}, 2.0, 40.0 * CPU_SHARE),
    ],
)
def test_the_least_of_engines_and_cpus_is_shared(
    replicas: dict[str, int], cpus: float, share: float
) -> None:
    portrait, lips, own = Pace(100, 0.02), Pace(300, 0.01), Pace(0, 0.02)
    assert shared(portrait, lips, own, Replicas(replicas, cpus)) == pytest.approx(share)
    assert shared(None, None, None, Replicas(replicas, cpus)) is None


def test_a_reader_that_drags_on_does_not_make_everybody_wait() -> None:
    now_s = 0.0
    budget = Budget(lambda: now_s)
    budget.take("slow", 25, 1.0, 1000)
    now_s = 60.0
    budget.give_back("slow")
    budget.take("next", 25, 10.0, 1000)
    full = budget.take("refused", 25, 10.0, 30)
    assert full is not None
    assert full.free_in_s <= 20


def refused(budget: Budget, ticket: str = NEW, fps: float = 25, duration_s: float = 10) -> Full:
    """Return why a stream does not fit where one of 25 frames/s does."""
    full = budget.take("refused", fps, duration_s, 25 / SHARE, ticket)
    assert full is not None
    return full


def test_a_place_that_is_kept_for_a_ticket_is_not_given_to_newcomers() -> None:
    now_s = 0.0
    budget = Budget(lambda: now_s)
    assert budget.take("a", 25, 10, 25 / SHARE) is None
    first, second = refused(budget), refused(budget)
    assert (first.free_in_s, second.free_in_s) == (10, 20)
    assert len({first.ticket, second.ticket, ""}) == 3
    now_s = 10.5
    budget.give_back("a")
    newcomer = refused(budget, "")
    assert newcomer.ticket == ""
    assert newcomer.free_in_s == 20  # behind both: 10.5 to 20.5, then 20.5 to 30.5 by its estimate
    assert budget.take("b", 25, 10, 25 / SHARE, first.ticket) is None
    now_s = 20.6
    budget.give_back("b")
    assert refused(budget, first.ticket).ticket not in (first.ticket, second.ticket)
    assert budget.take("c", 25, 10, 25 / SHARE, second.ticket) is None


def test_newcomers_get_what_is_free_until_a_ticket_is_due() -> None:
    now_s = 0.0
    budget = Budget(lambda: now_s)
    assert budget.take("a", 25, 10, 25 / SHARE) is None
    kept = refused(budget)
    now_s = 4.0
    budget.give_back("a")
    assert budget.take("long", 25, 7, 25 / SHARE) is not None
    assert budget.take("short", 25, 5, 25 / SHARE) is None
    now_s = 9.0
    budget.give_back("short")
    now_s = 10.0
    assert budget.take("b", 25, 10, 25 / SHARE, kept.ticket) is None


def test_a_ticket_that_nobody_brings_frees_its_place() -> None:
    now_s = 0.0
    budget = Budget(lambda: now_s)
    assert budget.take("a", 25, 10, 25 / SHARE) is None
    gone = refused(budget)
    now_s = 10.0
    budget.give_back("a")
    assert refused(budget, "").free_in_s == 10
    now_s = 10.0 + GRACE_S
    assert budget.take("b", 25, 10, 25 / SHARE) is None
    assert refused(budget, gone.ticket).ticket not in ("", gone.ticket)


def test_who_comes_too_early_keeps_the_place_and_the_time() -> None:
    now_s = 0.0
    budget = Budget(lambda: now_s)
    assert budget.take("a", 25, 10, 25 / SHARE) is None
    kept = refused(budget)
    now_s = 6.0
    assert refused(budget, kept.ticket) == Full(25, 25, 4, kept.ticket)


def test_who_finds_the_stream_before_late_keeps_their_turn() -> None:
    now_s = 0.0
    budget = Budget(lambda: now_s)
    assert budget.take("late", 25, 10, 25 / SHARE) is None
    first, second = refused(budget), refused(budget)
    now_s = 11.0
    assert refused(budget, first.ticket) == Full(25, 25, 1, first.ticket)
    budget.give_back("late")
    now_s = 12.0
    assert refused(budget, second.ticket).ticket == second.ticket
    assert budget.take("b", 25, 10, 25 / SHARE, first.ticket) is None


def test_a_ticket_is_for_no_more_than_was_asked_for_then() -> None:
    now_s = 0.0
    budget = Budget(lambda: now_s)
    assert budget.take("a", 25, 10, 25 / SHARE) is None
    kept = refused(budget, duration_s=2)
    behind = refused(budget)
    now_s = 10.0
    budget.give_back("a")
    larger = refused(budget, kept.ticket, duration_s=10)
    assert larger.ticket != kept.ticket
    now_s = 12.0
    assert budget.take("b", 25, 10, 25 / SHARE, behind.ticket) is None


@given(st.data())
def test_whoever_comes_back_in_time_gets_in_while_streams_end_in_theirs(
    data: st.DataObject,
) -> None:
    now_s, capacity_fps = 0.0, 100.0
    budget = Budget(lambda: now_s)
    streams = data.draw(st.lists(st.tuples(FPS, DURATION_S, st.booleans()), max_size=30))
    events: list[tuple[float, int, str, tuple[float, float, str]]] = []
    for at, (fps, duration_s, keeps) in enumerate(streams):
        at_s = data.draw(st.floats(0, 30))
        heapq.heappush(events, (at_s, 1, f"{at}", (fps, duration_s, NEW if keeps else "")))
    while events:
        now_s, kind, name, (fps, duration_s, ticket) = heapq.heappop(events)
        if kind == 0:
            budget.give_back(name)
            continue
        full = budget.take(name, fps, duration_s, capacity_fps / SHARE, ticket)
        assert budget.taken_fps() <= capacity_fps + 1e-3
        assert not (full and ticket not in ("", NEW)), "was told to come back now"
        if full is None:
            heapq.heappush(events, (now_s + duration_s, 0, name, (fps, duration_s, "")))
        elif full.ticket:
            back_s = now_s + full.free_in_s
            heapq.heappush(events, (back_s, 1, name, (fps, duration_s, full.ticket)))
