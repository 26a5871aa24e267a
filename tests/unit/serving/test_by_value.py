"""Small calls go by value and without the sitter, until a replica asks who that is."""

import asyncio
from typing import Any

import numpy as np
import pytest
import ray

from app.pipeline.motion import still_motion
from app.serving import models as models_file
from app.serving.calls import AnimateCall, UnknownSitter
from app.serving.models import BY_VALUE_BYTES, ModelCalls
from app.settings import AppArgs
from app.values import FrameGroup, LipGroup, Motion
from tests.fake_face import fake_mesh, fake_portrait

SITTER: Any = object()
GROUP = FrameGroup(np.zeros((1, 2, 2, 3), np.uint8), np.zeros((1, 478, 2), np.float32))


class Response:
    def __init__(self, answer: object) -> None:
        self._answer = answer

    def __await__(self) -> Any:  # noqa: ANN401 - what Ray's is
        async def answered() -> object:
            return self._answer

        return answered().__await__()

    def cancel(self) -> None:
        pass


class Handle:
    """A handle of a deployment, and of its methods; notes what was called, and how."""

    def __init__(self, log: list[tuple[str, object]], answers: list[object], way: str) -> None:
        self._log, self._answers, self._way = log, answers, way

    def options(self, *, _by_reference: bool) -> "Handle":
        return Handle(self._log, self._answers, "reference" if _by_reference else "value")

    @property
    def animate(self) -> "Handle":
        return self

    @property
    def paint(self) -> "Handle":
        return self

    def remote(self, call: object, origin: object) -> Response:
        self._log.append((self._way, call))
        return Response(self._answers.pop(0))


def calls(answers: list[object]) -> tuple[ModelCalls, list[tuple[str, object]]]:
    log: list[tuple[str, object]] = []
    handle = Handle(log, answers, "reference")
    models: Any = type("Models", (), dict.fromkeys(("face", "portrait", "lips"), handle))
    return ModelCalls(models, AppArgs()), log


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


@pytest.mark.parametrize(("side", "way"), [(96, "value"), (1024, "reference")])
async def test_crops_go_by_value_while_they_are_small(side: int, way: str) -> None:
    crops = np.zeros((1, side, side, 3), np.uint8)
    models, log = calls([crops])
    points, mel = np.zeros((1, 478, 2), np.float32), np.zeros((1, 80, 16), np.float32)
    assert await models.paint(LipGroup(crops, points, mel)) is crops
    assert [how for how, _ in log] == [way]


async def test_a_sitter_that_was_forgotten_has_no_second_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ray, "put", lambda sitter: SITTER)
    left_s: list[float] = []

    async def call_of(method: object, *_: object, deadline_s: float) -> object:
        left_s.append(deadline_s)
        if len(left_s) == 2:  # the one by value
            await asyncio.sleep(0.05)
            raise UnknownSitter
        return GROUP

    monkeypatch.setattr(models_file, "call_of", call_of)
    mesh = fake_mesh((32, 32), 40)
    models, _ = calls([])
    animate = await models.animator(fake_portrait(mesh, 64, 64), mesh)
    for _ in range(2):
        assert await animate(still_motion(1)) is GROUP
    first_s, by_value_s, again_s = left_s
    assert first_s == pytest.approx(by_value_s, abs=1e-2)
    assert again_s <= by_value_s - 0.05
