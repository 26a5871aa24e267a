"""What a server's `GET /metrics` says, before and after: counters' and histograms' differences."""

from collections.abc import Iterator, Mapping, Sequence

from prometheus_client.parser import text_string_to_metric_families

from app.observability.metrics import PREFIX

Labels = frozenset[tuple[str, str]]


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

    def values(self, name: str, **labels: str) -> dict[Labels, float]:
        """Return the samples of a name without `PREFIX` that have these labels, and maybe more."""
        asked = frozenset(labels.items())
        found = self._samples.get(PREFIX + name, {})
        return {key: value for key, value in found.items() if asked <= key}

    def since(self, before: "Export", name: str, **labels: str) -> float | None:
        """Return how much a counter grew, over all its samples; None where it is absent.

        A sample that fell is of a replica that began anew: it counts from zero.
        """
        now = self.values(name, **labels)
        return sum(more for _, more in _grown(before, now, name)) if now else None

    def mean_since(self, before: "Export", name: str, **labels: str) -> float | None:
        """Return the mean of what a histogram took in, None where it took in nothing."""
        count = self.since(before, f"{name}_count", **labels)
        total = self.since(before, f"{name}_sum", **labels)
        return total / count if count and total is not None else None

    def quantile_since(
        self, before: "Export", name: str, share: float, **labels: str
    ) -> float | None:
        """Return a quantile of what a histogram took in, as Prometheus would estimate it.

        Args:
            before: the earlier moment.
            name: of the histogram.
            share: in (0, 1).
            labels: which of its samples.
        """
        counts: dict[float, float] = {}
        bucket = f"{name}_bucket"
        for key, more in _grown(before, self.values(bucket, **labels), bucket):
            bound = float(dict(key)["le"])
            counts[bound] = counts.get(bound, 0.0) + more
        return _quantile(sorted(counts.items()), share)

    def label_values(self, name: str, label: str) -> list[str]:
        """Return what values a label takes, sorted."""
        return sorted({dict(key)[label] for key in self.values(name) if label in dict(key)})


def _grown(
    before: Export, now: Mapping[Labels, float], name: str
) -> Iterator[tuple[Labels, float]]:
    then = before.values(name)
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
