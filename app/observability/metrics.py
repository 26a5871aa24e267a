"""The metrics of this product, as data: Ray exports them under the prefix `ray_`."""

from dataclasses import dataclass
from typing import Literal

PREFIX = "digital_human_"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric family.

    Attributes:
        name: with prefix and unit; Ray adds `_total` to counters.
        kind: of the family.
        help: one sentence.
        labels: names of its labels; their values come from closed sets.
        buckets: upper bounds of a histogram, in the name's unit.
    """

    name: str
    kind: Literal["counter", "histogram"]
    help: str
    labels: tuple[str, ...]
    buckets: tuple[float, ...] = ()


REQUESTS = Metric(
    PREFIX + "requests", "counter", "Finished requests by route and outcome.", ("route", "outcome")
)
LATENCY = Metric(
    PREFIX + "latency_seconds",
    "histogram",
    "Wall-clock seconds from a request's arrival to its last byte.",
    ("route", "outcome"),
    (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0),
)
METRICS = (REQUESTS, LATENCY)
