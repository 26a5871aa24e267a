"""Traces that are off cost nothing: no package is imported, and every span is the same nothing."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from app.observability.config import TracingConfig
from app.observability.origin import NOBODY, ORIGINS, SPAN, Origin, origin, trace_id
from app.observability.tracing import NoTracer, is_sampled

PARENT = f"00-{'ab' * 16}-{'cd' * 8}-01"

OFF = """
import sys
from app.observability.config import TracingConfig
from app.observability.stages import StageTimes
from app.serving.tracing import check_installed, tracer_of
import app.serving.http_traces, app.serving.run_traces
check_installed(TracingConfig())
tracer = tracer_of(TracingConfig(), "Ingress")
with StageTimes(span=tracer.span).measure("decode"):
    assert tracer.past("batch", (0, 1)) == ""
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""


def test_nothing_of_opentelemetry_is_imported_while_traces_are_off() -> None:
    # Another process, without Ray: it imports what it finds for traces of its own.
    code = "import sys; sys.modules['ray'] = None\n" + OFF
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_spans_that_are_off_are_one_and_the_same() -> None:
    tracer = NoTracer()
    assert tracer.span("a") is tracer.span("b", "server", PARENT, {"x": 1})
    with tracer.span("a") as span:
        span.rename("b")
        span.note("x", 1)
        span.fail("bad")
        assert SPAN.get() == ""


def test_whether_a_parent_is_recorded() -> None:
    assert is_sampled(PARENT)
    assert not is_sampled(PARENT[:-2] + "00")
    assert is_sampled(PARENT[:-2] + "03")
    assert not is_sampled("")
    assert trace_id(PARENT) == "ab" * 16
    assert trace_id("") == ""


def test_a_call_bears_the_one_request_it_is_for_and_the_span_it_is_in() -> None:
    mine = Origin("r", "s")
    for origins, expected in (
        ((), NOBODY),
        ((mine,), mine),
        ((mine, Origin("r2", "s2")), NOBODY),
    ):
        token, span = ORIGINS.set(origins), SPAN.set(PARENT)
        told = origin()
        ORIGINS.reset(token)
        SPAN.reset(span)
        assert told == Origin(expected.request_id, expected.session_id, PARENT)


def test_files_want_a_folder() -> None:
    with pytest.raises(ValidationError, match=r"tracing\.folder"):
        TracingConfig(exporter="file")
    assert TracingConfig.model_validate({"exporter": "file", "folder": "/tmp/x"}).folder


@pytest.mark.parametrize(
    "settings",
    [
        {"exporter": "jaeger"},
        {"endpoint": "collector:4318"},
        {"sampling_ratio": 1.5},
        {"sampling_ratio": "1"},
        {"sampling": 1.0},
    ],
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TracingConfig.model_validate(settings)
