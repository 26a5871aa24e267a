"""What live streams may take."""

import pytest

from app.serving.budget import FORGET_S, GRACE_S, LONGEST_S, MEASURED_S, SHARE, Budget, Full
from app.serving.capacity import CPU_SHARE, UNMEASURED_CPU_S, Replicas, shared
from app.serving.speed import Pace


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
    assert budget.take("d", 25, 10, 25 / SHARE) == Full(25, 25, 18)


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


def test_an_ingress_replica_that_has_encoded_nothing_counts_its_work_before_it_comes() -> None:
    running = Replicas({}, 2.0)
    capacity = shared(Pace(1000, 0.004), Pace(1000, 0.004), None, running)
    assert capacity == pytest.approx(CPU_SHARE * 2.0 / (0.008 + UNMEASURED_CPU_S))


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
