"""This replica's metrics: recorded through Ray, whose label `replica` keeps replicas apart."""

import logging
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from typing import TypeVar, cast

from ray.serve import metrics

from app.observability.metrics import (
    BATCH_CALLS,
    BATCH_FILL,
    BATCH_FRAMES,
    ENGINE,
    METRICS,
    QUEUE_LENGTH,
    QUEUE_WAIT,
    RUN,
    RUNNING,
    Metric,
)
from app.serving.gpu_meter import GpuMeter
from app.values import ModelCard

Item = TypeVar("Item")
Answer = TypeVar("Answer")

Sample = Callable[[], Sequence[tuple[Metric, float, dict[str, str]]]]
"""Reads gauges that this process does not set by itself, with their labels."""

BEAT_S = 0.5
"""How often gauges are set again. Ray 2.60 exports from a replica only the gauges that were set
since its last report, and forgets those that two reports did not bring: 20 s by default, and 2 s
where reports are fastest. So a gauge that does not change would vanish."""

logger = logging.getLogger("ray.serve")


class Gauges:
    """Gauges that stay: what was set last is set again on a slow beat, by a thread of its own.

    The thread ends with the object.

    Args:
        record: hands a value to Ray.
        beat_s: wall-clock seconds from beat to beat.
    """

    def __init__(
        self, record: Callable[[Metric, float, dict[str, str]], None], beat_s: float = BEAT_S
    ) -> None:
        self._record = record
        self._lock = threading.Lock()
        self._values: dict[tuple[Metric, tuple[tuple[str, str], ...]], float] = {}
        self._samples: list[Sample] = []
        self._failed: set[Sample] = set()
        stop = threading.Event()
        weakref.finalize(self, stop.set)
        thread = threading.Thread(
            target=_beat, args=(weakref.ref(self), stop, beat_s), name="gauges", daemon=True
        )
        thread.start()

    def set(self, metric: Metric, value: float, labels: dict[str, str]) -> None:
        """Set a gauge, now and at every beat to come."""
        # Recorded under the lock, or a beat could bring an older value after this one.
        with self._lock:
            self._values[metric, tuple(sorted(labels.items()))] = value
            self._record(metric, value, labels)

    def sample(self, sample: Sample) -> None:
        """Set what `sample` reads, at every beat; while it fails those gauges are not there."""
        self._samples.append(sample)

    def beat(self) -> None:
        """Set all gauges again."""
        for sample in self._samples:
            try:
                readings = sample()
            except Exception as error:
                if sample not in self._failed:  # one warning, not two a second
                    self._failed.add(sample)
                    logger.warning("Gauges could not be read.", exc_info=error)
                continue
            for metric, value, labels in readings:
                self._record(metric, value, labels)
        with self._lock:
            for (metric, named), value in self._values.items():
                self._record(metric, value, dict(named))


def _beat(gauges: "weakref.ref[Gauges]", stop: threading.Event, beat_s: float) -> None:
    while not stop.wait(beat_s):
        alive = gauges()
        if alive is not None:
            alive.beat()
        del alive


class Meters:
    """One instrument per metric of `app.observability.metrics`.

    Must be made within a replica: Ray adds application, deployment and replica by itself.
    """

    def __init__(self) -> None:
        self._counters: dict[str, metrics.Counter] = {}
        self._histograms: dict[str, metrics.Histogram] = {}
        gauges: dict[str, metrics.Gauge] = {}
        for metric in METRICS:
            # Ray annotates a tuple of one, and takes any.
            keys = cast("tuple[str]", metric.labels)
            match metric.kind:
                case "counter":
                    self._counters[metric.name] = metrics.Counter(metric.name, metric.help, keys)
                case "gauge":
                    gauges[metric.name] = metrics.Gauge(metric.name, metric.help, keys)
                case "histogram":
                    self._histograms[metric.name] = metrics.Histogram(
                        metric.name, metric.help, list(metric.buckets), keys
                    )
        self._gauges = Gauges(lambda metric, value, tags: gauges[metric.name].set(value, tags))

    def count(self, metric: Metric, more: float = 1, **labels: str) -> None:
        """Add to a counter; nothing to add is fine."""
        if more > 0:
            self._counters[metric.name].inc(more, labels)

    def begin(self, metric: Metric, **labels: str) -> None:
        """Let a counter be there and 0: Prometheus sees no rise of one that begins at 1."""
        # Ray's `inc` refuses 0, for no reason that what it calls would know.
        self._counters[metric.name]._record(0, labels)

    def set(self, metric: Metric, value: float, **labels: str) -> None:
        """Set a gauge, which keeps its value until it is set again."""
        self._gauges.set(metric, value, labels)

    def sample(self, sample: Sample) -> None:
        """Set the gauges that `sample` reads, twice a second, on a thread of its own."""
        self._gauges.sample(sample)

    def observe(self, metric: Metric, value: float, **labels: str) -> None:
        """Put a value into a histogram."""
        self._histograms[metric.name].observe(value, labels)


class SlotMeter:
    """Records what happens in a model's slot: an `app.serving.batching.Observer`.

    Args:
        meters: of the replica.
        model: value of the label `model`: face, portrait or lips.
        full: frames of a full run.
    """

    def __init__(self, meters: Meters, model: str, full: int) -> None:
        self._meters = meters
        self._model = model
        self._full = full
        self.waiting(0)

    def serves(self, card: ModelCard) -> None:
        """Record which model this replica serves, once it can; on a GPU, that GPU too."""
        self._meters.set(
            ENGINE,
            1,
            model=self._model,
            variant=card.variant,
            backend=card.backend,
            precision=card.precision,
            device=card.device,
            weights=card.weights,
        )
        if card.device == "cuda":
            gpu = GpuMeter.find()
            if gpu is not None:
                self._meters.sample(gpu.read)

    def timed(
        self, work: Callable[[Sequence[Item]], list[Answer]]
    ) -> Callable[[Sequence[Item]], list[Answer]]:
        """Return work whose runs are timed, those that fail included."""

        def run(items: Sequence[Item]) -> list[Answer]:
            started_s = time.perf_counter()
            try:
                return work(items)
            finally:
                ran_s = time.perf_counter() - started_s
                self._meters.observe(RUN, ran_s, model=self._model)
                self._meters.count(RUNNING, ran_s, model=self._model)

        return run

    def waiting(self, calls: int) -> None:
        """Record how many calls wait for a run now."""
        self._meters.set(QUEUE_LENGTH, calls, model=self._model)

    def started(self, frames: int, waits: Sequence[tuple[float, bool]]) -> None:
        """Record a run: its frames, how long each call has waited, and which are live."""
        self._meters.observe(BATCH_FRAMES, frames, model=self._model)
        self._meters.observe(BATCH_CALLS, len(waits), model=self._model)
        self._meters.observe(BATCH_FILL, min(1.0, frames / self._full), model=self._model)
        for wait_s, live in waits:
            pace = "live" if live else "free"
            self._meters.observe(QUEUE_WAIT, wait_s, model=self._model, pace=pace)
