"""Spans of what happens in a model's slot, made when a run has ended."""

import asyncio
import time
from collections.abc import Callable

from app.errors import AppError
from app.observability.tracing import (
    BACKEND,
    BUCKET,
    CALLS,
    DEVICE,
    FRAMES,
    MODEL,
    PRECISION,
    VARIANT,
    Tracer,
    Value,
    is_sampled,
)
from app.serving.batching import Run
from app.values import ModelCard


class RunTraces:
    """Records runs: one `batch` for all their calls, and in each call's own trace what it saw.

    Args:
        tracer: makes the spans.
        model: face, portrait or lips.
        card: returns what serves, or None while nothing does.
        bucket: returns the bucket of so many frames; None for a model without buckets.
    """

    def __init__(
        self,
        tracer: Tracer,
        model: str,
        card: Callable[[], ModelCard | None],
        bucket: Callable[[int], int] | None = None,
    ) -> None:
        self._tracer = tracer
        self._model = model
        self._card = card
        self._bucket = bucket

    def ran(self, run: Run) -> None:
        """Record a run; on the event loop, right after it."""
        calls = [(origin, at_s) for origin, at_s in run.calls if is_sampled(origin.traceparent)]
        if not calls:
            return
        # The loop's clock has no date.
        now_ns, now_s = time.time_ns(), asyncio.get_running_loop().time()

        def dated(at_s: float) -> int:
            return now_ns - round((now_s - at_s) * 1e9)

        attributes, error = self._attributes(run), _kind(run.error)
        started, ended = dated(run.started_s), dated(run.ended_s)
        links = [origin.traceparent for origin, _ in calls]
        batch = self._tracer.past(
            "batch", (started, ended), links=links, attributes=attributes, error=error
        )
        for origin, arrived_s in calls:
            self._tracer.past("queue", (dated(arrived_s), started), origin.traceparent)
            self._tracer.past(
                "run", (started, ended), origin.traceparent, [batch], attributes, error
            )

    def _attributes(self, run: Run) -> dict[str, Value]:
        attributes: dict[str, Value] = {
            MODEL: self._model,
            CALLS: len(run.calls),
            FRAMES: run.frames,
        }
        card = self._card()
        if card is None:
            return attributes
        attributes |= {
            VARIANT: card.variant,
            BACKEND: card.backend,
            PRECISION: card.precision,
            DEVICE: card.device,
        }
        if self._bucket and not card.embedded:  # only engines of published nets have buckets
            attributes[BUCKET] = self._bucket(run.frames)
        return attributes


def _kind(error: Exception | None) -> str:
    """Return a name for an error that holds nothing of its content."""
    if error is None:
        return ""
    return error.code if isinstance(error, AppError) else type(error).__name__
