"""Spans by OpenTelemetry's SDK; imported only where traces are on.

Ray Serve has traces of its own (`tracing_config`), and they are not used here, for what they cannot
tell: `@serve.batch` runs a batch in the context of its first request, so the others' traces lose
their work in the model, which is most of it; they know no stage, group, queue or run; and they are
set by a global of the process, with a proxy that wants a variable of the whole cluster. So the span
that a call belongs to travels in our own `Origin` with every call, and a slot records its runs
itself (`app.serving.run_traces`). Both may be on: this has a provider of its own and sets no
global.
"""

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_ON,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import Link, SpanKind, StatusCode, TraceState
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import Attributes

from app.observability.config import TracingConfig
from app.observability.origin import SPAN
from app.observability.tracing import ERROR, Kind, Span, Value

EXPORT_MS = 1000.0
"""Spans leave so often, on a thread; a replica that is killed takes at most these with it."""


class OpenTelemetry:
    """A tracer of one replica.

    Args:
        config: where its spans go, and how many.
        deployment: whose spans they are.
        exporter: where they go instead.
    """

    def __init__(
        self, config: TracingConfig, deployment: str, exporter: SpanExporter | None = None
    ) -> None:
        instance = f"{socket.gethostname()}-{os.getpid()}"
        resource = Resource.create(
            {
                "service.name": "digital-human",
                "service.instance.id": instance,
                "digital_human.deployment": deployment,
            }
        )
        sampler = ParentBased(_LinkedOrShare(config.sampling_ratio))
        self._provider = TracerProvider(sampler, resource)
        exporter = exporter or _exporter(config, f"{deployment}-{instance}")
        processor = BatchSpanProcessor(exporter, schedule_delay_millis=EXPORT_MS)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("digital_human")

    def flush(self) -> None:
        """Send what is there."""
        self._provider.force_flush()

    @contextmanager
    def span(
        self,
        name: str,
        kind: Kind = "internal",
        parent: str | None = None,
        attributes: dict[str, Value] | None = None,
    ) -> Iterator[Span]:
        """Surround what is done within; see `Tracer.span`."""
        above = _context(SPAN.get() if parent is None else parent)
        span = self._tracer.start_span(name, above, SpanKind[kind.upper()], attributes)
        under = _UnderWay(span)
        token = SPAN.set(_traceparent(span))
        try:
            yield under
        except BaseException as error:
            # Its text may hold content, and a task that is cancelled has not failed.
            under.fail(getattr(error, "code", type(error).__name__))
            raise
        finally:
            SPAN.reset(token)
            span.end()

    def past(
        self,
        name: str,
        spent_ns: tuple[int, int],
        parent: str = "",
        links: Sequence[str] = (),
        attributes: dict[str, Value] | None = None,
        error: str = "",
    ) -> str:
        """Record a span that has ended; see `Tracer.past`."""
        linked = [trace.get_current_span(_context(link)).get_span_context() for link in links]
        started_ns, ended_ns = spent_ns
        span = self._tracer.start_span(
            name,
            _context(parent),
            attributes=attributes,
            links=[Link(context) for context in linked if context.is_valid],
            start_time=started_ns,
        )
        if error:
            _UnderWay(span).fail(error)
        span.end(ended_ns)
        return _traceparent(span)


class _UnderWay:
    """A span of the SDK, as this product sees it."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def note(self, name: str, value: Value) -> None:
        self._span.set_attribute(name, value)

    def fail(self, kind: str) -> None:
        self._span.set_attribute(ERROR, kind)
        if kind != "CancelledError":
            self._span.set_status(StatusCode.ERROR)


def _traceparent(span: trace.Span) -> str:
    """Return a span's W3C `traceparent`."""
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"


def _context(traceparent: str) -> Context:
    """Return a context whose span a `traceparent` names; an empty one for none or nonsense."""
    carrier = {"traceparent": traceparent} if traceparent else {}
    return TraceContextTextMapPropagator().extract(carrier, Context())


class _LinkedOrShare(Sampler):
    """Decides about spans without parent: those with links are recorded, others by their share.

    A batch is linked only to calls that are recorded, and would be lost by a second draw.
    """

    def __init__(self, share: float) -> None:
        self._by_share = TraceIdRatioBased(share)

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Return whether a span is recorded."""
        by = ALWAYS_ON if links else self._by_share
        return by.should_sample(
            parent_context, trace_id, name, kind, attributes, links, trace_state
        )

    def get_description(self) -> str:
        """Return what it does, for people."""
        return f"linked, or {self._by_share.get_description()}"


def _exporter(config: TracingConfig, replica: str) -> SpanExporter:
    """Return where the spans go."""
    if config.exporter == "otlp":
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        return OTLPSpanExporter(endpoint=config.endpoint)
    assert config.folder is not None
    config.folder.mkdir(parents=True, exist_ok=True)
    # Open as long as the process is: the exporter writes into it, and flushes after each span.
    file = (config.folder / f"{replica}.jsonl").open("a", encoding="utf-8")
    return ConsoleSpanExporter(out=file, formatter=lambda span: f"{span.to_json(indent=None)}\n")
