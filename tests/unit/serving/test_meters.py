"""Gauges stay, and what happens in a slot is recorded."""

import gc
import threading
from collections import deque
from types import SimpleNamespace
from typing import Any

import pytest

from app.observability.metrics import (
    BATCH_FILL,
    ENGINE,
    GPU_BUSY,
    GPU_MEMORY,
    GPU_MEMORY_SIZE,
    QUEUE_LENGTH,
    QUEUE_WAIT,
    RUN,
    RUNNING,
    SESSIONS,
    Metric,
)
from app.serving import meters as module
from app.serving.gpu_meter import GpuMeter
from app.serving.meters import Gauges, SlotMeter
from app.values import ModelCard

NEVER_S = 3600.0


class Recorded:
    """Remembers what Ray would be handed."""

    def __init__(self) -> None:
        self.seen: deque[tuple[str, float, dict[str, str]]] = deque()
        self.twice = threading.Event()

    def __call__(self, metric: Metric, value: float, labels: dict[str, str]) -> None:
        self.seen.append((metric.name, value, labels))
        if len(self.seen) > 1:
            self.twice.set()


class FakeMeters:
    """Takes a model's metrics instead of Ray."""

    def __init__(self) -> None:
        self.gauges: dict[str, tuple[float, dict[str, str]]] = {}
        self.observed: list[tuple[str, float]] = []
        self.labels: list[tuple[str, dict[str, str]]] = []
        self.counted: dict[str, float] = {}
        self.samples: list[Any] = []

    def set(self, metric: Metric, value: float, **labels: str) -> None:
        self.gauges[metric.name] = (value, labels)

    def observe(self, metric: Metric, value: float, **labels: str) -> None:
        self.observed.append((metric.name, value))
        self.labels.append((metric.name, labels))

    def count(self, metric: Metric, more: float = 1, **labels: str) -> None:
        self.counted[metric.name] = self.counted.get(metric.name, 0.0) + more

    def sample(self, sample: Any) -> None:  # noqa: ANN401
        self.samples.append(sample)


def test_a_gauge_that_does_not_change_is_set_again_by_itself() -> None:
    recorded = Recorded()
    gauges = Gauges(recorded, beat_s=0.01)
    gauges.set(SESSIONS, 3, {})
    assert recorded.twice.wait(10)
    assert list(recorded.seen)[:2] == [(SESSIONS.name, 3, {})] * 2


def test_a_beat_sets_the_last_value_of_each_series() -> None:
    recorded = Recorded()
    gauges = Gauges(recorded, NEVER_S)
    gauges.set(QUEUE_LENGTH, 1, {"model": "lips"})
    gauges.set(QUEUE_LENGTH, 2, {"model": "face"})
    gauges.set(QUEUE_LENGTH, 0, {"model": "lips"})
    recorded.seen.clear()
    gauges.beat()
    assert sorted(value for _, value, _ in recorded.seen) == [0, 2]


def test_the_thread_ends_with_its_gauges() -> None:
    before = set(threading.enumerate())
    gauges = Gauges(Recorded(), NEVER_S)
    (thread,) = set(threading.enumerate()) - before
    del gauges
    gc.collect()
    thread.join(10)
    assert not thread.is_alive()


def test_gauges_that_cannot_be_read_are_warned_of_once_and_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    warned: list[str] = []
    monkeypatch.setattr(module.logger, "warning", lambda text, exc_info: warned.append(text))
    recorded = Recorded()
    answers: deque[float | Exception] = deque([RuntimeError("no"), RuntimeError("no"), 0.5])

    def sample() -> list[tuple[Metric, float, dict[str, str]]]:
        answer = answers.popleft()
        if isinstance(answer, Exception):
            raise answer
        return [(GPU_BUSY, answer, {"gpu": "0"})]

    gauges = Gauges(recorded, NEVER_S)
    gauges.sample(sample)
    for _ in range(3):
        gauges.beat()
    assert len(warned) == 1
    assert list(recorded.seen) == [(GPU_BUSY.name, 0.5, {"gpu": "0"})]


def test_a_slot_records_fill_and_run_time_and_an_empty_queue_from_the_start() -> None:
    meters: Any = FakeMeters()
    meter = SlotMeter(meters, "lips", 32)
    assert meters.gauges[QUEUE_LENGTH.name] == (0, {"model": "lips"})
    meter.started(16, [(0.1, False), (0.2, True)])
    assert (BATCH_FILL.name, 0.5) in meters.observed
    waits = [labels["pace"] for name, labels in meters.labels if name == QUEUE_WAIT.name]
    assert waits == ["free", "live"]
    assert meter.timed(lambda items: [len(items)])(["a", "b"]) == [2]

    def fails(items: object) -> list[int]:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        meter.timed(fails)([])
    assert [name for name, _ in meters.observed].count(RUN.name) == 2
    ran_s = sum(value for name, value in meters.observed if name == RUN.name)
    assert meters.counted == {RUNNING.name: pytest.approx(ran_s)}


def test_a_replica_tells_its_engine_and_asks_for_a_gpu_only_on_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    meters: Any = FakeMeters()
    card = ModelCard("lips", "wav2lip", "compiled", "fp16", "x", embedded=False)
    SlotMeter(meters, "lips", 4).serves(card)
    value, labels = meters.gauges[ENGINE.name]
    assert value == 1
    assert set(labels) == set(ENGINE.labels)
    assert labels["backend"] == "compiled"
    assert meters.samples == []
    gpu = SimpleNamespace(read=list)
    monkeypatch.setattr(GpuMeter, "find", lambda: gpu)
    on_gpu = ModelCard("lips", "wav2lip", "compiled", "fp16", "x", embedded=False, device="cuda")
    SlotMeter(meters, "lips", 4).serves(on_gpu)
    assert meters.samples == [gpu.read]


class FakeNvml:
    """The few functions of NVML that are used, over one GPU."""

    def nvmlDeviceGetHandleByUUID(self, uuid: bytes) -> str:  # noqa: N802
        assert uuid == b"GPU-1-2"
        return "handle"

    def nvmlDeviceGetIndex(self, handle: str) -> int:  # noqa: N802
        return 3

    def nvmlDeviceGetMemoryInfo(self, handle: str) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(used=20, total=80)

    def nvmlDeviceGetUtilizationRates(self, handle: str) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(gpu=75)


def test_a_gpu_is_read_by_its_uuid_in_base_units() -> None:
    assert GpuMeter(FakeNvml(), "GPU-1-2").read() == [
        (GPU_MEMORY, 20, {"gpu": "3"}),
        (GPU_MEMORY_SIZE, 80, {"gpu": "3"}),
        (GPU_BUSY, 0.75, {"gpu": "3"}),
    ]


def test_without_nvml_there_is_no_gpu_meter() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    assert GpuMeter.find() is None
