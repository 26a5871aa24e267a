"""Spans by OpenTelemetry's SDK, kept in memory."""

import asyncio
import json
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from app.errors import NoFace
from app.observability.config import TracingConfig
from app.observability.origin import SPAN
from app.observability.tracing import is_sampled
from app.serving.otel import OpenTelemetry

TRACE, PARENT = "ab" * 16, "cd" * 8
SAMPLED, UNSAMPLED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"


class Kept:
    """A tracer whose spans can be looked at."""

    def __init__(self, ratio: float = 1.0) -> None:
        self._exporter = InMemorySpanExporter()
        config = TracingConfig(exporter="otlp", sampling_ratio=ratio)
        self.tracer = OpenTelemetry(config, "Ingress", self._exporter)

    def spans(self) -> dict[str, ReadableSpan]:
        self.tracer.flush()
        return {span.name: span for span in self._exporter.get_finished_spans()}


def ids(span: ReadableSpan) -> tuple[str, str]:
    assert span.context
    return f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}"


def parent_of(span: ReadableSpan) -> str:
    return f"{span.parent.span_id:016x}" if span.parent else ""


def test_spans_nest_and_the_outermost_goes_on_with_the_clients_trace() -> None:
    kept = Kept()
    with kept.tracer.span("outer", "server", SAMPLED), kept.tracer.span("inner"):
        inner = SPAN.get()
    assert SPAN.get() == ""
    spans = kept.spans()
    assert (ids(spans["outer"])[0], parent_of(spans["outer"])) == (TRACE, PARENT)
    assert parent_of(spans["inner"]) == ids(spans["outer"])[1]
    assert inner.startswith("00-{}-{}-".format(*ids(spans["inner"])))
    assert spans["outer"].resource.attributes["digital_human.deployment"] == "Ingress"


@pytest.mark.parametrize("nonsense", ["", "x", "00-0-0-01", SAMPLED[:-1], f"ff{SAMPLED[2:]}"])
def test_without_a_proper_parent_a_trace_begins(nonsense: str) -> None:
    kept = Kept()
    with kept.tracer.span("outer", "server", nonsense):
        pass
    assert parent_of(kept.spans()["outer"]) == ""
    assert ids(kept.spans()["outer"])[0] != TRACE


def test_the_share_holds_for_new_traces_and_the_client_decides_about_its_own() -> None:
    kept = Kept(ratio=0.0)
    with kept.tracer.span("new"), kept.tracer.span("beneath"):
        told = SPAN.get()
    with kept.tracer.span("wanted", parent=SAMPLED):
        pass
    assert told
    assert not is_sampled(told)
    assert kept.spans().keys() == {"wanted"}
    all_kept = Kept()
    with all_kept.tracer.span("unwanted", parent=UNSAMPLED):
        pass
    assert all_kept.spans() == {}


def test_a_batch_is_recorded_with_its_calls_whatever_the_share() -> None:
    kept = Kept(ratio=0.0)
    told = kept.tracer.past("batch", (1000, 2000), links=[SAMPLED], attributes={"n": 3})
    span = kept.spans()["batch"]
    (link,) = span.links
    assert f"{link.context.trace_id:032x}-{link.context.span_id:016x}" == f"{TRACE}-{PARENT}"
    assert (span.start_time, span.end_time, span.parent) == (1000, 2000, None)
    assert dict(span.attributes or {}) == {"n": 3}
    assert told.startswith("00-{}-{}-".format(*ids(span)))
    assert is_sampled(told)


def test_failures_are_told_by_kind_and_hold_no_text() -> None:
    kept = Kept()
    for name, error in (("ours", NoFace("secret")), ("bug", KeyError("secret"))):
        with pytest.raises(type(error)), kept.tracer.span(name):
            raise error
    kept.tracer.past("run", (1, 2), error="deadline")
    spans = kept.spans()
    kinds = {name: (span.attributes or {})["error.type"] for name, span in spans.items()}
    assert kinds == {"ours": "no_face", "bug": "KeyError", "run": "deadline"}
    for span in spans.values():
        assert span.status.status_code.name == "ERROR"
        assert "secret" not in str(span.to_json())


def test_what_is_cancelled_has_not_failed() -> None:
    kept = Kept()
    with pytest.raises(asyncio.CancelledError), kept.tracer.span("left"):
        raise asyncio.CancelledError
    assert kept.spans()["left"].status.status_code.name == "UNSET"


async def test_tasks_are_beneath_the_span_that_they_were_started_in() -> None:
    kept = Kept()

    async def work() -> None:
        await asyncio.sleep(0)
        with kept.tracer.span("task"):
            await asyncio.sleep(0)

    with kept.tracer.span("outer"):
        task = asyncio.create_task(work())
    with kept.tracer.span("other"):
        await task
    spans = kept.spans()
    assert parent_of(spans["task"]) == ids(spans["outer"])[1]


def test_a_file_holds_a_span_a_line(tmp_path: Path) -> None:
    folder = tmp_path / "traces"
    tracer = OpenTelemetry(TracingConfig(exporter="file", folder=folder), "LipSync")
    with tracer.span("outer", parent=SAMPLED), tracer.span("inner"):
        pass
    tracer.flush()
    (file,) = folder.iterdir()
    assert file.name.startswith("LipSync-")
    inner, outer = [json.loads(line) for line in file.read_text().splitlines()]
    assert (inner["name"], outer["name"]) == ("inner", "outer")
    assert inner["context"]["trace_id"] == outer["context"]["trace_id"] == f"0x{TRACE}"
    assert inner["parent_id"] == outer["context"]["span_id"]
