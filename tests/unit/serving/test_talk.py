"""A session's video, over fake models: what is left behind when it ends or is left."""

import asyncio
import threading
from collections import Counter
from fractions import Fraction
from functools import partial
from typing import Any, cast

import numpy as np
import pytest

from app.jobs import Pace
from app.media.fragments import pictures_in
from app.media.probe import probe_video
from app.observability.metrics import LATE_FRAMES, Metric
from app.pipeline.pace import LivePace
from app.pipeline.viewer import Viewer
from app.report import read_report
from app.serving.clip_meter import ClipMeter
from app.serving.models import Models
from app.serving.stage import Stage
from app.serving.take import Take
from app.settings import AppArgs
from tests.unit.media.recordings import sound_from
from tests.unit.pipeline.test_session import SIDE, FakeModels


def stage() -> Stage:
    nobody = cast("Any", None)
    return Stage(AppArgs(), Models(nobody, nobody, nobody))


def take(models: FakeModels, num_frames: int = 80, fps: int = 25, pace: Pace = "free") -> Take:
    sound = sound_from(np.zeros((1, num_frames * 48_000 // fps), np.int16), 48_000)
    scene = models.scene(num_frames)
    return Take(scene, sound, Fraction(fps), SIDE, SIDE, faces=1, pace=pace)


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


class Record:
    """Stands for the replica's meters."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def count(self, metric: Metric, more: float = 1, **labels: str) -> None:
        self.counts[metric.name] += more  # type: ignore[assignment]

    def observe(self, metric: Metric, value: float, **labels: str) -> None:
        pass


async def test_a_live_video_begins_with_few_frames_and_leaves_frame_by_frame() -> None:
    models = FakeModels()
    chunks = [chunk async for chunk in stage().video(take(models, 30, 60, "live"))]
    assert [pictures_in(chunk) for chunk in chunks][:3] == [1, 4, 8]
    video = b"".join(chunks)
    assert probe_video(video).frames == 30
    assert read_report(video) == {"frames": 30, "late_frames": 0}
    await assert_nothing_is_left(models)


async def test_a_live_video_waits_for_its_viewer(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("app.serving.stage.LivePace", partial(LivePace, sleep=sleep))
    for pace in ("free", "live"):
        async for _ in stage().video(take(FakeModels(), 80, 1, pace)):
            pass
        assert bool(slept) == (pace == "live")
    assert max(slept) > 60  # the last frame but one of 80 s, less the lead and what passed


async def test_frames_that_come_too_late_are_counted_and_told_at_the_end() -> None:
    record = Record()
    seconds = iter([0.0, 0.1, *[9.0] * 60])
    viewer = Viewer(Fraction(60), lambda: next(seconds))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.serving.stage.Viewer", lambda fps: viewer)
        meter = ClipMeter(record, "/v1/talk")
        video = b"".join(
            [chunk async for chunk in stage().video(take(FakeModels(), 30, 60, "live"), meter)]
        )
    report = read_report(video)
    assert report is not None
    assert 20 < report["late_frames"] < 30
    assert record.counts[LATE_FRAMES.name] == report["late_frames"]
