"""The four dashboards: the service, its models, the GPUs, and what it costs."""

from app.observability import metrics
from app.observability.grafana import Dashboard, Panel, Query
from app.observability.metrics import Metric
from app.observability.rules import CLIP_S, QUANTILES, STREAM_FPS, WORK

WINDOW = "5m"
FRAME_RATE = "suffix: frames/s"


def dashboards() -> list[Dashboard]:
    """Return all dashboards."""
    return [_service(), _models(), _gpu(), _cost()]


def _service() -> Dashboard:
    return Dashboard(
        "service",
        "Digital Human: service",
        [
            *_units(),
            *_requests(),
            *_times(),
        ],
    )


def _requests() -> list[Panel]:
    return [
        Panel(
            "Requests by outcome",
            "reqps",
            [
                Query(_outcomes(), "{{route}} {{outcome}}"),
            ],
            "Outcomes are `ok`, and what else occurred: `abandoned` where the client left, or an "
            "error's code.",
        ),
        Panel(
            "Requests that did not work out",
            "percentunit",
            [
                Query("digital_human:faults:ratio", "faults of the server"),
                Query("digital_human:busy:ratio", "turned away"),
                Query("digital_human:refused:ratio", "refused"),
            ],
        ),
    ]


def _times() -> list[Panel]:
    return [
        _quantiles("Time to first frame", "s", "first_fragment_seconds"),
        _quantiles("Time to last byte, by route", "s", "latency_seconds", "{{route}} "),
        _quantiles(
            "Real-time factor",
            "short",
            "real_time_ratio",
            about="Seconds of rendering for a second of video; a live stream needs 1 at most.",
        ),
        Panel("Late frames", "percentunit", [Query("digital_human:late_frames:ratio", "late")]),
        Panel(
            "Sessions under way",
            "short",
            [Query(f"sum({metrics.SESSIONS.exported})", "sessions")],
        ),
        Panel(
            "Admission",
            "reqps",
            [Query(_rate(metrics.ADMISSIONS, "decision"), "{{decision}}")],
        ),
        Panel(
            "Stages, 95th percentile",
            "s",
            [Query(_p95(metrics.STAGE, "stage"), "{{stage}}")],
            "Waiting included. `watch`, `animate`, `cut`, `paint`, `blend` and `encode` are of a "
            "group of frames, the others of a request.",
        ),
        Panel(
            "Sound against picture at the end, 99th percentile",
            "s",
            [Query(_p(0.99, metrics.AV_OFFSET, "route"), "{{route}}")],
        ),
    ]


def _units() -> list[Panel]:
    """Return the benchmark's four units."""
    return [
        Panel(
            "Frames", FRAME_RATE, [Query("digital_human:frames_per_second", "frames")], kind="stat"
        ),
        Panel(
            "Live streams",
            "short",
            [Query("digital_human:live_streams", "streams")],
            f"Frames that came in time, as streams of {STREAM_FPS} a second.",
            kind="stat",
        ),
        Panel(
            f"Finished {CLIP_S} s clips a minute",
            "short",
            [Query("digital_human:clips_per_minute", "clips")],
            f"Finished seconds of video, by {CLIP_S}.",
            kind="stat",
        ),
        Panel(
            "Finished requests",
            "reqps",
            [Query("sum(digital_human:requests_per_second)", "requests")],
            kind="stat",
        ),
    ]


def _models() -> Dashboard:
    return Dashboard(
        "models",
        "Digital Human: models",
        [
            *_runs(),
            *_queues(),
        ],
    )


def _runs() -> list[Panel]:
    info = "model, variant, backend, precision, device, weights"
    legend = "{{model}}: {{variant}} by {{backend}} {{precision}} on {{device}}, {{weights}}"
    return [
        Panel(
            "Replicas by engine and precision",
            "short",
            [Query(f"sum by ({info}) ({metrics.ENGINE.exported})", legend)],
        ),
        Panel(
            "Runs",
            "ops",
            [Query(_rate(metrics.RUN, "model", suffix="_count"), "{{model}}")],
        ),
        Panel(
            "Replicas whose model runs, mean",
            "short",
            [Query(_rate(metrics.RUNNING, "model"), "{{model}}")],
        ),
        Panel(
            "Run, median and 95th percentile",
            "s",
            [
                Query(_p(0.5, metrics.RUN, "model"), "{{model}} median"),
                Query(_p95(metrics.RUN, "model"), "{{model}} p95"),
            ],
        ),
    ]


def _queues() -> list[Panel]:
    return [
        Panel(
            "Wait before a run, 95th percentile",
            "s",
            [Query(_p95(metrics.QUEUE_WAIT, "model, pace"), "{{model}} {{pace}}")],
        ),
        Panel(
            "Calls that wait, and replicas",
            "short",
            [
                Query("digital_human:queue_length", "{{model}} calls"),
                Query("digital_human:replicas", "{{model}} replicas"),
            ],
        ),
        Panel(
            "Calls in a run, mean",
            "short",
            [Query(_mean(metrics.BATCH_CALLS, "model"), "{{model}}")],
        ),
        Panel(
            "Fill of a run, median",
            "percentunit",
            [Query(_p(0.5, metrics.BATCH_FILL, "model"), "{{model}}")],
        ),
        Panel(
            "Frames in a run, 95th percentile",
            "short",
            [Query(_p95(metrics.BATCH_FRAMES, "model"), "{{model}}")],
        ),
        Panel(
            "Prepared portraits found in the cache",
            "percentunit",
            [Query(_hits(), "{{model}}")],
        ),
        Panel("Encoding a frame", "s", [Query(_encoding(), "{{route}}")]),
    ]


def _gpu() -> Dashboard:
    used, size = metrics.GPU_MEMORY.exported, metrics.GPU_MEMORY_SIZE.exported
    busy, legend = metrics.GPU_BUSY.exported, "{{instance}} GPU {{gpu}}"
    replicas = f'sum by (instance, model, variant) ({metrics.ENGINE.exported}{{device="cuda"}})'
    return Dashboard(
        "gpu",
        "Digital Human: GPU",
        [
            Panel("Utilisation", "percentunit", [Query(_most(busy), legend)]),
            Panel("Memory in use", "bytes", [Query(_most(used), legend)]),
            Panel("Share of memory", "percentunit", [Query(_most(f"{used} / {size}"), legend)]),
            Panel("Replicas", "short", [Query(replicas, "{{instance}} {{model}}: {{variant}}")]),
            Panel(
                "Frames by GPU",
                FRAME_RATE,
                [
                    Query(
                        f"scalar(digital_human:frames_per_second) / count({_most(size)})", "frames"
                    )
                ],
                "Encoded frames a second, by the GPUs that are there.",
            ),
        ],
    )


def _cost() -> Dashboard:
    gpus, others = "digital_human:gpu_machines", "digital_human:cpu_machines"
    hour = f"($gpu_price * {gpus} + $cpu_price * {others})"
    return Dashboard(
        "cost",
        "Digital Human: cost",
        [
            Panel(
                "Machines",
                "short",
                [Query(gpus, "with a GPU"), Query(others, "without")],
                kind="stat",
            ),
            Panel(
                "An hour of all machines",
                "currencyUSD",
                [Query(hour, "an hour")],
                "`gpu_price` is what a machine costs an hour that has models on a GPU, `cpu_price` "
                "one that does not; set both above.",
                kind="stat",
            ),
            *_prices(f"{hour} / 3600"),
        ],
        {"gpu_price": "1.5", "cpu_price": "0.2"},
    )


def _prices(dollars_s: str) -> list[Panel]:
    """Return what each of the benchmark's units costs, from what all machines cost a second."""
    return [
        Panel(
            "A thousand frames",
            "currencyUSD",
            [Query(_each(1000, dollars_s, "digital_human:frames_per_second"), "1000 frames")],
        ),
        Panel(
            "An hour of a live stream",
            "currencyUSD",
            [Query(_each(3600, dollars_s, "digital_human:live_streams"), "stream")],
        ),
        Panel(
            f"A {CLIP_S} s clip",
            "currencyUSD",
            [Query(_each(60, dollars_s, "digital_human:clips_per_minute"), "clip")],
        ),
        Panel(
            "A thousand requests",
            "currencyUSD",
            [
                Query(
                    _each(1000, dollars_s, "sum(digital_human:requests_per_second)"),
                    "1000 requests",
                )
            ],
        ),
    ]


def _each(many: int, dollars_s: str, made_s: str) -> str:
    """Return what so many cost; nothing while none is made, and not an infinite price."""
    return f"{many} * {dollars_s} / ({made_s} > 0)"


def _quantiles(title: str, unit: str, name: str, legend: str = "", about: str = "") -> Panel:
    queries = [Query(f"digital_human:{name}:{short}", legend + short) for short in QUANTILES]
    return Panel(title, unit, queries, about)


def _rate(metric: Metric, by: str, matchers: str = "", suffix: str = "") -> str:
    selector = metric.exported + suffix + (f"{{{matchers}}}" if matchers else "")
    return f"sum by ({by}) (rate({selector}[{WINDOW}]))"


def _p95(metric: Metric, by: str) -> str:
    return _p(0.95, metric, by)


def _p(quantile: float, metric: Metric, by: str) -> str:
    rates = f"sum by (le, {by}) (rate({metric.exported}_bucket[{WINDOW}]))"
    return f"histogram_quantile({quantile:g}, {rates})"


def _mean(metric: Metric, by: str) -> str:
    """Return the mean of a histogram whose sums Ray exports exactly."""
    return f"{_rate(metric, by, suffix='_sum')} / {_rate(metric, by, suffix='_count')}"


def _hits() -> str:
    hits = _rate(metrics.CACHE, "model", 'result="hit"')
    return f"{hits} / {_rate(metrics.CACHE, 'model')}"


def _encoding() -> str:
    return f"{_rate(metrics.ENCODE, 'route')} / ({_rate(metrics.FRAMES, 'route')} > 0)"


def _outcomes() -> str:
    """Return what succeeds, and besides only outcomes that occur: there are dozens of series."""
    by = "route, outcome"
    ok = _rate(metrics.REQUESTS, by, f'outcome="ok",{WORK}')
    return f"{ok} or {_rate(metrics.REQUESTS, by, WORK)} > 0"


def _most(expr: str) -> str:
    """Return one value by GPU: each of its replicas tells it."""
    return f"max by (instance, gpu) ({expr})"
