"""A session's video, over fake models: what is left behind when it ends or is left."""

import asyncio
import threading
from fractions import Fraction
from typing import Any, cast

import numpy as np
import pytest

from app.media.probe import probe_video
from app.serving.models import Models
from app.serving.stage import Stage
from app.serving.take import Take
from app.settings import AppArgs
from tests.unit.media.recordings import sound_from
from tests.unit.pipeline.test_session import SIDE, FakeModels


def stage() -> Stage:
    nobody = cast("Any", None)
    return Stage(AppArgs(), Models(nobody, nobody, nobody))


def take(models: FakeModels, num_frames: int = 80) -> Take:
    sound = sound_from(np.zeros((1, num_frames * 48_000 // 25), np.int16), 48_000)
    return Take(models.scene(num_frames), sound, Fraction(25), SIDE, SIDE, faces=1)


def encoders() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("encode")]


async def assert_nothing_is_left(models: FakeModels) -> None:
    for _ in range(100):
        if not encoders() and len(asyncio.all_tasks()) == 1:
            break
        await asyncio.sleep(0.01)
    assert encoders() == []
    assert len(asyncio.all_tasks()) == 1
    assert models.running == 0


async def test_all_frames_are_in_the_video() -> None:
    models = FakeModels()
    video = b"".join([chunk async for chunk in stage().video(take(models))])
    assert probe_video(video).frames == 80
    await assert_nothing_is_left(models)


async def test_a_video_that_is_left_leaves_nothing() -> None:
    models = FakeModels(delays_s=[0.0, 0.01])
    chunks = stage().video(take(models))
    await anext(chunks)
    await chunks.aclose()
    assert models.finished < 10
    await assert_nothing_is_left(models)


async def test_a_reader_that_is_cancelled_in_the_middle_leaves_nothing() -> None:
    models = FakeModels(delays_s=[0.005])

    async def read() -> None:
        async for _ in stage().video(take(models, num_frames=4000)):
            pass

    reader = asyncio.create_task(read())
    await asyncio.sleep(0.2)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    await assert_nothing_is_left(models)


async def test_an_error_of_a_model_comes_before_the_first_byte_and_leaves_nothing() -> None:
    models = FakeModels(fail_at=0)
    with pytest.raises(RuntimeError, match="model"):
        await anext(stage().video(take(models)))
    await assert_nothing_is_left(models)
