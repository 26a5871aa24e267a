"""This replica's metrics: recorded through Ray, whose label `replica` keeps replicas apart."""

from collections.abc import Sequence
from typing import cast

from ray.serve import metrics

from app.observability.metrics import (
    BATCH_CALLS,
    BATCH_FRAMES,
    METRICS,
    QUEUE_LENGTH,
    QUEUE_WAIT,
    Metric,
)


class Meters:
    """One instrument per metric of `app.observability.metrics`.

    Must be made within a replica: Ray adds application, deployment and replica by itself.
    """

    def __init__(self) -> None:
        self._counters: dict[str, metrics.Counter] = {}
        self._gauges: dict[str, metrics.Gauge] = {}
        self._histograms: dict[str, metrics.Histogram] = {}
        for metric in METRICS:
            # Ray annotates a tuple of one, and takes any.
            keys = cast("tuple[str]", metric.labels)
            match metric.kind:
                case "counter":
                    self._counters[metric.name] = metrics.Counter(metric.name, metric.help, keys)
                case "gauge":
                    self._gauges[metric.name] = metrics.Gauge(metric.name, metric.help, keys)
                case "histogram":
                    self._histograms[metric.name] = metrics.Histogram(
                        metric.name, metric.help, list(metric.buckets), keys
                    )

    def count(self, metric: Metric, more: float = 1, **labels: str) -> None:
        """Add to a counter; nothing to add is fine."""
        if more > 0:
            self._counters[metric.name].inc(more, labels)

    def set(self, metric: Metric, value: float, **labels: str) -> None:
        """Set a gauge."""
        self._gauges[metric.name].set(value, labels)

    def observe(self, metric: Metric, value: float, **labels: str) -> None:
        """Put a value into a histogram."""
        self._histograms[metric.name].observe(value, labels)


class SlotMeter:
    """Records what happens in a model's slot: an `app.serving.batching.Observer`.

    Args:
        meters: of the replica.
        model: value of the label `model`: face, portrait or lips.
    """

    def __init__(self, meters: Meters, model: str) -> None:
        self._meters = meters
        self._model = model

    def waiting(self, calls: int) -> None:
        """Record how many calls wait for a run now."""
        self._meters.set(QUEUE_LENGTH, calls, model=self._model)

    def started(self, frames: int, waits_s: Sequence[float]) -> None:
        """Record a run: its frames, and how long each of its calls has waited."""
        self._meters.observe(BATCH_FRAMES, frames, model=self._model)
        self._meters.observe(BATCH_CALLS, len(waits_s), model=self._model)
        for wait_s in waits_s:
            self._meters.observe(QUEUE_WAIT, wait_s, model=self._model)
