"""What live streams may take."""

import pytest

from app.errors import OverCapacity
from app.serving.budget import SHARE, Budget
from app.serving.capacity import Replicas, shared
from app.serving.speed import Pace


def test_streams_are_let_in_while_they_fit() -> None:
    budget = Budget(lambda: 0.0)
    capacity = 50 / SHARE
    with budget.live(25, 10, capacity), budget.live(25, 10, capacity):
        assert budget.frames_per_s == 50
        with pytest.raises(OverCapacity, match="50 are taken"), budget.live(1, 10, capacity):
            pass
    with budget.live(50, 10, capacity):
        pass


def test_when_to_come_back_is_when_enough_streams_have_ended() -> None:
    now_s = 0.0
    budget = Budget(lambda: now_s)
    capacity = 60 / SHARE
    with budget.live(10, 5, capacity), budget.live(30, 20, capacity), budget.live(20, 60, capacity):
        now_s = 2.0
        with pytest.raises(OverCapacity) as refused, budget.live(10, 9, capacity):
            pass
        assert refused.value.retry_after_s == 3
        with pytest.raises(OverCapacity) as refused, budget.live(25, 9, capacity):
            pass
        assert refused.value.retry_after_s == 18


def test_before_anything_was_measured_all_are_let_in() -> None:
    budget = Budget()
    with budget.live(1000, 1, None):
        assert budget.frames_per_s == 1000


def test_a_failed_stream_gives_its_rate_back() -> None:
    budget = Budget()
    with pytest.raises(ValueError, match="broken"), budget.live(25, 10, 100):
        raise ValueError("broken")
    assert budget.frames_per_s == 0


@pytest.mark.parametrize(
    ("replicas", "cpus", "share"),
    [
        ({"PortraitAnimator": 1, "LipSync": 1, "Ingress": 1}, 1000.0, 100.0),
        ({"PortraitAnimator": 4, "LipSync": 1, "Ingress": 2}, 1000.0, 150.0),
        ({"PortraitAnimator": 1, "LipSync": 1, "Ingress": 1}, 2.0, 40.0),
    ],
)
def test_the_least_of_engines_and_cpus_is_shared(
    replicas: dict[str, int], cpus: float, share: float
) -> None:
    portrait, lips, own = Pace(100, 0.02), Pace(300, 0.01), Pace(0, 0.02)
    assert shared(portrait, lips, own, Replicas(replicas, cpus)) == pytest.approx(share)
    assert shared(None, None, None, Replicas(replicas, cpus)) is None
