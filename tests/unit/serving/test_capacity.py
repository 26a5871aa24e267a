"""How many frames a second there are for live streams, and when nobody can say yet."""

from typing import Any

import pytest

from app.serving.capacity import CPU_SHARE, FRESH_S, UNKNOWN_S, Capacity, Replicas, shared
from app.serving.speed import Pace

RUNNING = Replicas({"PortraitAnimator": 1, "LipSync": 1, "Ingress": 1}, 2.0)
PORTRAIT, LIPS, OWN = Pace(200, 0.005), Pace(300, 0.005), Pace(100, 0.01)
WHOLE = CPU_SHARE * 2.0 / 0.02


class Answer:
    def __init__(self, pace: Pace | None) -> None:
        self._pace = pace

    def __await__(self) -> Any:  # noqa: ANN401 - what Ray's is
        async def answered() -> Pace | None:
            return self._pace

        return answered().__await__()

    def cancel(self) -> None:
        pass


class Handle:
    """A handle of a deployment with one method; tells a pace that a test sets."""

    def __init__(self, pace: Pace | None) -> None:
        self.told = pace

    @property
    def pace(self) -> "Handle":
        return self

    def remote(self) -> Answer:
        return Answer(self.told)


async def running() -> Replicas:
    return RUNNING


@pytest.mark.parametrize("absent", range(3))
def test_nothing_is_promised_while_a_part_of_the_work_is_not_measured(absent: int) -> None:
    assert shared(PORTRAIT, LIPS, OWN, RUNNING) == pytest.approx(WHOLE)
    portrait, lips, own = (
        None if at == absent else pace for at, pace in enumerate((PORTRAIT, LIPS, OWN))
    )
    assert shared(portrait, lips, own, RUNNING) is None


async def test_an_encoder_that_has_not_run_is_asked_for_again_soon() -> None:
    now_s = 0.0
    own: Pace | None = None
    models: Any = type("Models", (), {"portrait": Handle(PORTRAIT), "lips": Handle(LIPS)})
    capacity = Capacity(models, lambda: own, running, lambda: now_s)
    assert await capacity.frames_per_s() is None
    own = OWN
    assert await capacity.frames_per_s() is None
    now_s = UNKNOWN_S
    assert await capacity.frames_per_s() == pytest.approx(WHOLE)


async def test_a_replica_that_was_just_replaced_takes_nothing_from_what_is_known() -> None:
    now_s = 0.0
    portrait = Handle(PORTRAIT)
    models: Any = type("Models", (), {"portrait": portrait, "lips": Handle(LIPS)})
    capacity = Capacity(models, lambda: OWN, running, lambda: now_s)
    assert await capacity.frames_per_s() == pytest.approx(WHOLE)
    now_s, portrait.told = FRESH_S, None
    assert await capacity.frames_per_s() == pytest.approx(WHOLE)
