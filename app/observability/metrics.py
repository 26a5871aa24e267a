"""The metrics of this product, as data: Ray exports them under the prefix `ray_`."""

from dataclasses import dataclass
from typing import Literal

PREFIX = "digital_human_"

_COUNTS = tuple(count + 0.5 for count in range(9))
"""Bounds between whole numbers: Ray 2.60 exports as a histogram's sum what it would be if every
value lay in the middle of its bucket, so with these it is exact. Elsewhere it is an estimate."""


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
    kind: Literal["counter", "gauge", "histogram"]
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
STAGE = Metric(
    PREFIX + "stage_seconds",
    "histogram",
    "Wall-clock seconds of a stage: of a whole request, or of one group of frames.",
    ("stage",),
    (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
FIRST_FRAGMENT = Metric(
    PREFIX + "first_fragment_seconds",
    "histogram",
    "Wall-clock seconds from a validated request to the first bytes of its video.",
    (),
    (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0),
)
FRAMES = Metric(PREFIX + "frames", "counter", "Frames encoded and handed on.", ())
SESSIONS = Metric(PREFIX + "sessions", "gauge", "Sessions under way.", ())
BATCH_FRAMES = Metric(
    PREFIX + "batch_frames",
    "histogram",
    "Frames of the calls that a model took up together.",
    ("model",),
    (0.5, 1.5, 4.5, 7.5, 8.5, 15.5, 16.5, 23.5, 24.5, 31.5, 32.5),
)
BATCH_CALLS = Metric(
    PREFIX + "batch_calls",
    "histogram",
    "Calls that a model took up together.",
    ("model",),
    _COUNTS,
)
QUEUE_WAIT = Metric(
    PREFIX + "queue_wait_seconds",
    "histogram",
    "Wall-clock seconds from a call's arrival at a model to the start of its run.",
    ("model",),
    (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
QUEUE_LENGTH = Metric(
    PREFIX + "queue_length", "gauge", "Calls that wait for a run of a model.", ("model",)
)
METRICS = (
    REQUESTS,
    LATENCY,
    STAGE,
    FIRST_FRAGMENT,
    FRAMES,
    SESSIONS,
    BATCH_FRAMES,
    BATCH_CALLS,
    QUEUE_WAIT,
    QUEUE_LENGTH,
)
