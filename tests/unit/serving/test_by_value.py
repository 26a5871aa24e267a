"""Small calls go by value and without the sitter, until a replica asks who that is."""

import asyncio
from typing import Any

import numpy as np
import pytest
import ray

from app.errors import DeadlineExceeded
from app.pipeline.config import SessionConfig
from app.pipeline.motion import still_motion
from app.serving.calls import AnimateCall, UnknownSitter
from app.serving.models import BY_VALUE_BYTES, ModelCalls
from app.settings import AppArgs
from app.values import FrameGroup, LipGroup, Motion
from tests.fake_face import fake_mesh, fake_portrait

SITTER: Any = object()
GROUP = FrameGroup(np.zeros((1, 2, 2, 3), np.uint8), np.zeros((1, 478, 2), np.float32))


class Response:
    def __init__(self, answer: object, delay_s: float) -> None:
        self._answer, self._delay_s = answer, delay_s

    def __await__(self) -> Any:  # noqa: ANN401 - what Ray's is
        async def answered() -> object:
            await asyncio.sleep(self._delay_s)
            return self._answer

        return answered().__await__()

    def cancel(self) -> None:
        pass


class Handle:
    """A handle of a deployment, and of its methods; notes what was called, and how."""

    def __init__(
        self, log: list[tuple[str, object]], answers: list[object], way: str, delay_s: float
    ) -> None:
        self._log, self._answers, self._way = log, answers, way
        self._delay_s = delay_s

    def options(self, *, _by_reference: bool) -> "Handle":
        way = "reference" if _by_reference else "value"
        return Handle(self._log, self._answers, way, self._delay_s)

    @property
    def animate(self) -> "Handle":
        return self

    @property
    def paint(self) -> "Handle":
        return self

    def remote(self, call: object, origin: object) -> Response:
        self._log.append((self._way, call))
        return Response(self._answers.pop(0), self._delay_s)


def calls(
    answers: list[object], delay_s: float = 0.0, deadline_s: float = 30.0
) -> tuple[ModelCalls, list[tuple[str, object]]]:
    log: list[tuple[str, object]] = []
    handle = Handle(log, answers, "reference", delay_s)
    models: Any = type("Models", (), dict.fromkeys(("face", "portrait", "lips"), handle))
    args = AppArgs(session=SessionConfig(call_deadline_s=deadline_s))
    return ModelCalls(models, args), log


def seen(log: list[tuple[str, object]]) -> list[tuple[str, bool]]:
    """Return how each call of an animator went, and whether it brought the sitter."""
    return [(way, call.sitter is SITTER) for way, call in log if isinstance(call, AnimateCall)]


async def test_a_sitter_goes_along_until_it_is_known_and_where_it_was_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ray, "put", lambda sitter: SITTER)
    mesh = fake_mesh((32, 32), 40)
    portrait = fake_portrait(mesh, 64, 64)
    models, log = calls([GROUP, GROUP, UnknownSitter(), GROUP, GROUP])
    animate = await models.animator(portrait, mesh)
    one = still_motion(1)
    for _ in range(3):
        assert await animate(one) is GROUP
    assert seen(log) == [
        *(("reference", True), ("value", False), ("value", False), ("reference", True)),
    ]
    many = Motion(*(np.zeros((BY_VALUE_BYTES, width), np.float32) for width in (3, 2)))
    await animate(many)
    assert seen(log)[-1] == ("reference", True)


async def test_both_tries_of_a_call_share_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "put", lambda sitter: SITTER)
    mesh = fake_mesh((32, 32), 40)
    models, log = calls([GROUP, UnknownSitter(), GROUP], delay_s=0.25, deadline_s=0.4)
    animate = await models.animator(fake_portrait(mesh, 64, 64), mesh)
    await animate(still_motion(1))
    with pytest.raises(DeadlineExceeded):
        await animate(still_motion(1))
    assert len(log) == 3


@pytest.mark.parametrize(("side", "way"), [(96, "value"), (1024, "reference")])
async def test_crops_go_by_value_while_they_are_small(side: int, way: str) -> None:
    crops = np.zeros((1, side, side, 3), np.uint8)
    models, log = calls([crops])
    points, mel = np.zeros((1, 478, 2), np.float32), np.zeros((1, 80, 16), np.float32)
    assert await models.paint(LipGroup(crops, points, mel)) is crops
    assert [how for how, _ in log] == [way]
