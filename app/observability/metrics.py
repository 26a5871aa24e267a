"""The metrics of this product, as data: Ray exports them under the prefix `ray_`.

Labels take values of closed sets only (`app.observability.labels`), so that what a replica exports
does not grow with its users.
"""

from dataclasses import dataclass
from typing import Literal

PREFIX = "digital_human_"

_COUNTS = tuple(count + 0.5 for count in range(33))
"""Bounds between whole numbers, up to a run of 32 calls of one frame: Ray 2.60 exports as a
histogram's sum what it would be if every value lay in the middle of its bucket, so with these it
is exact. Elsewhere it is an estimate: take quantiles from the buckets, and means from counters of
seconds."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric family.

    Attributes:
        name: with prefix and unit; Ray adds `_total` to counters.
        kind: of the family.
        help: one sentence.
        labels: names of its labels; their values come from closed sets.
        buckets: upper bounds of a histogram, in the name's unit.
        on_gpu: whether it is there only where a model runs on an NVIDIA GPU.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...]
    buckets: tuple[float, ...] = ()
    on_gpu: bool = False

    @property
    def exported(self) -> str:
        """The family's name in Ray's export, without a histogram's `_bucket` and `_count`."""
        return f"ray_{self.name}" + ("_total" if self.kind == "counter" else "")


_REQUEST = ("route", "model", "variant", "outcome")

REQUESTS = Metric(
    PREFIX + "requests",
    "counter",
    "Finished requests by route, the roles and variants that answer it, and outcome.",
    _REQUEST,
)
LATENCY = Metric(
    PREFIX + "latency_seconds",
    "histogram",
    "Wall-clock seconds from a request's arrival to its last byte.",
    _REQUEST,
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
    "Time to first frame: seconds from a validated request to the first bytes of its video.",
    ("route",),
    (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0),
)
REAL_TIME = Metric(
    PREFIX + "real_time_ratio",
    "histogram",
    "Real-time factor: seconds of rendering for a second of finished video; live needs 1 at most.",
    ("route",),
    (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 5.0, 10.0, 50.0),
)
FRAMES = Metric(PREFIX + "frames", "counter", "Frames encoded and handed on.", ("route",))
LATE_FRAMES = Metric(
    PREFIX + "late_frames",
    "counter",
    "Frames handed over more than 0.5 s after one who plays from the first fragment on needs them.",
    ("route",),
)
VIDEO = Metric(
    PREFIX + "video_seconds",
    "counter",
    "Media seconds of the videos that were finished.",
    ("route",),
)
ENCODE = Metric(
    PREFIX + "encode_seconds",
    "counter",
    "Wall-clock seconds of encoding; by the frames, the seconds of one.",
    ("route",),
)
AV_OFFSET = Metric(
    PREFIX + "av_offset_seconds",
    "histogram",
    "How far the ends of picture and sound lie apart in a finished video.",
    ("route",),
    (0.001, 0.005, 0.01, 0.02, 0.04, 0.08, 0.2, 1.0),
)
SESSIONS = Metric(PREFIX + "sessions", "gauge", "Sessions under way.", ())
ADMISSIONS = Metric(
    PREFIX + "admissions",
    "counter",
    "Sessions that asked for a place, by what was decided.",
    ("decision",),
)
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
BATCH_FILL = Metric(
    PREFIX + "batch_fill_ratio",
    "histogram",
    "Frames of a run, of those of a full one.",
    ("model",),
    (0.1, 0.2, 0.3, 0.4, 0.55, 0.7, 0.8, 0.9, 1.0),
)
RUN = Metric(
    PREFIX + "run_seconds",
    "histogram",
    "Wall-clock seconds of one run of a model.",
    ("model",),
    (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
RUNNING = Metric(
    PREFIX + "running_seconds",
    "counter",
    "Wall-clock seconds in which a model ran.",
    ("model",),
)
QUEUE_WAIT = Metric(
    PREFIX + "queue_wait_seconds",
    "histogram",
    "Wall-clock seconds from a call's arrival at a model to the start of its run.",
    ("model", "pace"),
    (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
QUEUE_LENGTH = Metric(
    PREFIX + "queue_length", "gauge", "Calls that wait for a run of a model.", ("model",)
)
CACHE = Metric(
    PREFIX + "cache_lookups",
    "counter",
    "Looks into the cache of prepared portraits.",
    ("model", "result"),
)
ENGINE = Metric(
    PREFIX + "engine_info",
    "gauge",
    "1 for each replica that can serve: which model, by which engine, in which precision.",
    ("model", "variant", "backend", "precision", "device", "weights"),
)
GPU_MEMORY = Metric(
    PREFIX + "gpu_memory_bytes",
    "gauge",
    "Memory in use on a GPU, of all its processes.",
    ("gpu",),
    on_gpu=True,
)
GPU_MEMORY_SIZE = Metric(
    PREFIX + "gpu_memory_size_bytes", "gauge", "All memory of a GPU.", ("gpu",), on_gpu=True
)
GPU_BUSY = Metric(
    PREFIX + "gpu_utilisation_ratio",
    "gauge",
    "Share of the time in which a GPU computed.",
    ("gpu",),
    on_gpu=True,
)
METRICS = (
    *(REQUESTS, LATENCY, STAGE, FIRST_FRAGMENT, REAL_TIME),
    *(FRAMES, LATE_FRAMES, VIDEO, ENCODE, AV_OFFSET),
    *(SESSIONS, ADMISSIONS),
    *(BATCH_FRAMES, BATCH_CALLS, BATCH_FILL, RUN, RUNNING, QUEUE_WAIT, QUEUE_LENGTH, CACHE),
    *(ENGINE, GPU_MEMORY, GPU_MEMORY_SIZE, GPU_BUSY),
)
