"""What a server's `GET /metrics` says, before and after: counters' and histograms' differences."""

from collections.abc import Iterator, Sequence
from typing import Literal

from prometheus_client.parser import text_string_to_metric_families

from app.observability.metrics import Metric

Labels = frozenset[tuple[str, str]]
Samples = dict[Labels, float]
Part = Literal["_count", "_sum", "_bucket"]


class Export:
    """The samples of one moment, by name and labels.

    Args:
        text: in the Prometheus text format.
    """

    def __init__(self, text: str = "") -> None:
        self._samples: dict[str, dict[Labels, float]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = frozenset(sample.labels.items())
                self._samples.setdefault(sample.name, {})[labels] = sample.value

    def values(self, metric: Metric, part: Part | None = None, **labels: str) -> Samples:
        """Return the samples that have these labels, and maybe more.

        Args:
            metric: the family.
            part: of a histogram; None is the total of a counter, or a gauge.
            labels: which of its samples.
        """
        asked = frozenset(labels.items())
        suffix = part or ("_total" if metric.kind == "counter" else "")
        found = self._samples.get(metric.name + suffix, {})
        return {key: value for key, value in found.items() if asked <= key}

    def since(
        self, before: "Export", metric: Metric, part: Part | None = None, **labels: str
    ) -> float | None:
        """Return how much a counter or a part of a histogram grew, over all its samples.

        A sample that fell is of a replica that began anew: it counts from zero. None where the
        family is absent.
        """
        now = self.values(metric, part, **labels)
        then = before.values(metric, part, **labels)
        return sum(more for _, more in _grown(then, now)) if now else None

    def mean_since(self, before: "Export", metric: Metric, **labels: str) -> float | None:
        """Return the mean of what a histogram took in, None where it took in nothing."""
        count = self.since(before, metric, "_count", **labels)
        total = self.since(before, metric, "_sum", **labels)
        return total / count if count and total is not None else None

    def quantile_since(
        self, before: "Export", metric: Metric, share: float, **labels: str
    ) -> float | None:
        """Return a quantile of what a histogram took in, as Prometheus would estimate it.

        Args:
            before: the earlier moment.
            metric: the histogram.
            share: in (0, 1).
            labels: which of its samples.
        """
        counts: dict[float, float] = {}
        now = self.values(metric, "_bucket", **labels)
        for key, more in _grown(before.values(metric, "_bucket", **labels), now):
            bound = float(dict(key)["le"])
            counts[bound] = counts.get(bound, 0.0) + more
        return _quantile(sorted(counts.items()), share)

    def label_values(self, metric: Metric, part: Part | None, label: str) -> list[str]:
        """Return what values a label takes, sorted."""
        keys = self.values(metric, part)
        return sorted({dict(key)[label] for key in keys if label in dict(key)})


def _grown(then: Samples, now: Samples) -> Iterator[tuple[Labels, float]]:
    for key, value in now.items():
        more = value - then.get(key, 0.0)
        yield key, more if more >= 0 else value


def _quantile(counts: Sequence[tuple[float, float]], share: float) -> float | None:
    """Return a quantile by linear interpolation in cumulative buckets (upper bound, count)."""
    if not counts or not counts[-1][1]:
        return None
    rank = share * counts[-1][1]
    low, below = 0.0, 0.0
    for bound, count in counts:
        if count >= rank:
            if bound == float("inf") or count == below:
                return low
            return low + (bound - low) * (rank - below) / (count - below)
        low, below = bound, count
    return low
