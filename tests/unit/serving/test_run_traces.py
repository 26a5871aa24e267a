"""What a slot's runs leave in traces."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from app.errors import NoFace
from app.observability.origin import Origin
from app.observability.tracing import NoTracer, Value
from app.runtime.buckets import bucket_up_to
from app.serving.batching import Run
from app.serving.run_traces import RunTraces
from app.values import ModelCard

NET = ModelCard("lips", "wav2lip", "compiled", "float16", "-", embedded=False, device="cuda")
OURS = ModelCard("lips", "viseme", "eager", "float32", "-", embedded=True)


def parent(number: int, flags: str = "01") -> str:
    return f"00-{number:032x}-{number:016x}-{flags}"


@dataclass
class Past:
    name: str
    spent_ns: tuple[int, int]
    parent: str
    links: list[str]
    attributes: dict[str, Any]
    error: str


class Told(NoTracer):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.spans: list[Past] = []

    def past(
        self,
        name: str,
        spent_ns: tuple[int, int],
        parent: str = "",
        links: Sequence[str] = (),
        attributes: dict[str, Value] | None = None,
        error: str = "",
    ) -> str:
        self.spans.append(Past(name, spent_ns, parent, list(links), attributes or {}, error))
        return "batch's own" if name == "batch" else ""


def run(*origins: Origin, frames: int = 16, error: Exception | None = None) -> Run:
    now_s = asyncio.get_running_loop().time()
    return Run([(origin, now_s - 3) for origin in origins], frames, now_s - 2, now_s - 1, error)


def told(run: Run, card: ModelCard | None = NET) -> list[Past]:
    tracer = Told()
    RunTraces(tracer, "lips", lambda: card, partial(bucket_up_to, 32)).ran(run)
    return tracer.spans


async def test_a_batch_links_to_its_calls_and_each_call_to_it() -> None:
    first, second = (Origin(traceparent=parent(number)) for number in (1, 2))
    before_ns = time.time_ns()
    batch, *rest = told(run(first, second))
    assert (batch.name, batch.parent) == ("batch", "")
    assert batch.links == [parent(1), parent(2)]
    assert [(span.name, span.parent) for span in rest] == [
        ("queue", parent(1)),
        ("run", parent(1)),
        ("queue", parent(2)),
        ("run", parent(2)),
    ]
    assert [span.links for span in rest if span.name == "run"] == [["batch's own"]] * 2
    queue, ran = rest[:2]
    assert queue.spent_ns[1] == ran.spent_ns[0] == batch.spent_ns[0]
    assert (ran.spent_ns[1] - ran.spent_ns[0]) / 1e9 == pytest.approx(1)
    assert (queue.spent_ns[1] - queue.spent_ns[0]) / 1e9 == pytest.approx(1)
    assert 0 <= ran.spent_ns[1] - (before_ns - 10**9) < 60 * 10**9


async def test_only_calls_that_are_recorded_are_told_but_all_are_counted() -> None:
    spans = told(run(Origin(), Origin(traceparent=parent(1)), Origin(traceparent=parent(2, "00"))))
    assert [span.name for span in spans] == ["batch", "queue", "run"]
    assert spans[0].links == [parent(1)]
    assert spans[0].attributes["digital_human.batch.calls"] == 3
    assert told(run(Origin(), Origin(traceparent=parent(2, "00")))) == []


@pytest.mark.parametrize(("frames", "bucket"), [(1, 1), (5, 8), (16, 16), (33, 32)])
async def test_a_published_nets_run_has_a_bucket(frames: int, bucket: int) -> None:
    attributes = told(run(Origin(traceparent=parent(1)), frames=frames))[0].attributes
    assert attributes["digital_human.batch.bucket"] == bucket
    assert attributes["digital_human.backend"] == "compiled"
    assert attributes["digital_human.precision"] == "float16"


@pytest.mark.parametrize("card", [OURS, None])
async def test_embedded_models_have_no_buckets(card: ModelCard | None) -> None:
    attributes = told(run(Origin(traceparent=parent(1))), card)[0].attributes
    assert "digital_human.batch.bucket" not in attributes
    assert ("digital_human.variant" in attributes) == (card is not None)


@pytest.mark.parametrize(
    ("error", "kind"), [(NoFace("secret"), "no_face"), (ValueError("secret"), "ValueError")]
)
async def test_a_run_that_failed_says_how(error: Exception, kind: str) -> None:
    batch, queue, ran = told(run(Origin(traceparent=parent(1)), error=error))
    assert (batch.error, queue.error, ran.error) == (kind, "", kind)
