"""Traces behind a setting: what makes them is imported where they are on, and nowhere else."""

import importlib.util

from app.errors import NotReady
from app.observability.config import TracingConfig
from app.observability.tracing import NoTracer, Tracer

NEEDS = {
    "none": (),
    "file": ("opentelemetry.sdk.trace",),
    "otlp": ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http"),
}
"""What each exporter imports."""


def tracer_of(config: TracingConfig | None, deployment: str) -> Tracer:
    """Return what makes the spans of this replica.

    Raises:
        NotReady: what the exporter needs is not installed.
    """
    if config is None or config.exporter == "none":
        return NoTracer()
    check_installed(config)
    from app.serving.otel import OpenTelemetry

    return OpenTelemetry(config, deployment)


def check_installed(config: TracingConfig) -> None:
    """Check that the setting can be followed.

    Raises:
        NotReady: it cannot.
    """
    missing = [name for name in NEEDS[config.exporter] if not _is_there(name)]
    if missing:
        raise NotReady(
            f"tracing.exporter is `{config.exporter}`, and {missing[0]} is not installed.",
            'Install it: `pip install -e ".[tracing]"`, or leave the setting out.',
        )


def _is_there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ImportError:  # of a parent
        return False
