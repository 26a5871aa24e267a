"""Traces of a running server that has two replicas of a model, as a collector sees them."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import yaml

from app.client.server import LocalServer
from tests.conftest import RAY_TOKEN
from tests.serve.collector import Collector, Seen
from tests.serve.conftest import png, spoken
from tests.serve.serve_logs import lines

FRAMES = 25
GROUPS = 4
"""Of eight frames and fewer."""

MARKER = "Vk3SecretOkapi"


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as started:
        yield started


@pytest.fixture(scope="module")
def traced(root: Path, collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Any:  # noqa: ANN401
    document = yaml.safe_load((root / "serve_config.yaml").read_text())
    (application,) = document["applications"]
    application["args"] = {"tracing": {"exporter": "otlp", "endpoint": collector.endpoint}}
    for deployment in application["deployments"]:
        deployment["ray_actor_options"]["num_cpus"] = 0.1
        if deployment["name"] == "LipSync":
            deployment["num_replicas"] = 2
    config = tmp_path_factory.mktemp("traced") / "serve_config.yaml"
    config.write_text(yaml.safe_dump(document))
    with LocalServer(config, token=RAY_TOKEN) as started:
        yield started


@pytest.fixture
async def http(traced: LocalServer) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=traced.url, timeout=120, trust_env=False) as client:
        yield client


def new_parent(flags: str = "01") -> tuple[str, str, str]:
    """Return a trace id, a span id, and the `traceparent` of both."""
    trace, span = secrets.token_hex(16), secrets.token_hex(8)
    return trace, span, f"00-{trace}-{span}-{flags}"


async def talk(http: httpx.AsyncClient, portrait: bytes, **headers: str) -> httpx.Response:
    files = {"portrait": (f"{MARKER}.png", portrait), "audio": (f"{MARKER}.wav", spoken(1))}
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    url = f"/v1/talk?{MARKER}"
    return await http.post(url, files=files, data={"size": "256"}, headers=headers)


async def trace_of(collector: Collector, trace: str, runs: int) -> list[Seen]:
    """Return the spans of a trace once its request and so many runs have come."""

    def of(spans: list[Seen]) -> list[Seen]:
        return [span for span in spans if span.trace == trace]

    def is_complete(spans: list[Seen]) -> bool:
        names = [span.name for span in of(spans)]
        return names.count("run") >= runs and any(" /" in name for name in names)

    return of(await asyncio.to_thread(collector.wait, is_complete))


def named(spans: list[Seen], name: str) -> list[Seen]:
    return [span for span in spans if span.name == name]


async def test_one_trace_holds_the_whole_graph(
    http: httpx.AsyncClient, collector: Collector, portrait: bytes, traced: LocalServer
) -> None:
    trace, span, parent = new_parent()
    answer = await talk(http, portrait, traceparent=parent, x_request_id=f"id-{trace}")
    assert answer.status_code == 200
    spans = await trace_of(collector, trace, 2 * GROUPS + 1)
    by_id = {each.id: each for each in spans}
    assert len(by_id) == len(spans)

    def above(child: Seen) -> str:
        return by_id[child.parent].name

    (request,) = named(spans, "POST /v1/talk")
    assert (request.parent, request.kind, request.deployment) == (span, 2, "Ingress")
    assert request.attributes["http.response.status_code"] == 200
    assert request.attributes["digital_human.outcome"] == "ok"
    assert request.attributes["digital_human.request_id"] == f"id-{trace}"
    parents = {
        "decode": "POST /v1/talk",
        "face": "POST /v1/talk",
        "face.analyze": "face",
        "group": "POST /v1/talk",
        "animate": "group",
        "portrait.animate": "animate",
        "paint": "group",
        "lips.paint": "paint",
        "encode": "POST /v1/talk",
    }
    assert {name: {above(each) for each in named(spans, name)} for name in parents} == {
        name: {parent} for name, parent in parents.items()
    }
    for name in ("group", "portrait.animate", "lips.paint", "encode"):
        assert len(named(spans, name)) == GROUPS
    firsts = [each.attributes["digital_human.first_frame"] for each in named(spans, "group")]
    assert sorted(firsts) == [0, 8, 16, 24]
    ran = {
        (each.deployment, above(each)) for each in [*named(spans, "run"), *named(spans, "queue")]
    }
    assert ran == {
        ("FaceAnalyzer", "face.analyze"),
        ("PortraitAnimator", "portrait.animate"),
        ("LipSync", "lips.paint"),
    }
    for each in named(spans, "run"):
        call = by_id[each.parent]
        assert call.kind == 3
        # Two processes of one machine share its clock.
        assert call.started_ns - 10**6 <= each.started_ns <= each.ended_ns <= call.ended_ns + 10**6
    assert not [each for each in spans if each.failed]
    (told,) = [line for line in lines(traced) if line.get("request_id") == f"id-{trace}"]
    assert told["trace_id"] == trace
    assert told["session_id"] == request.attributes["digital_human.session_id"]


async def test_a_batch_is_told_once_and_links_to_all_its_requests(
    http: httpx.AsyncClient, collector: Collector, portrait: bytes
) -> None:
    asked = [new_parent() for _ in range(4)]
    await asyncio.gather(*(talk(http, portrait, traceparent=parent) for *_, parent in asked))
    of_each = [await trace_of(collector, trace, 2 * GROUPS + 1) for trace, *_ in asked]
    calls = {(each.trace, each.id): each for spans in of_each for each in spans if each.kind == 3}
    runs = [each for spans in of_each for each in named(spans, "run")]
    assert len(runs) == len(calls) == 4 * (2 * GROUPS + 1)
    everything = collector.spans()
    batches = {(each.trace, each.id): each for each in named(everything, "batch")}
    joined = [batch for batch in batches.values() if len({trace for trace, _ in batch.links}) > 1]
    assert joined, "no run joined calls of several requests"
    for run in runs:
        (link,) = run.links
        batch = batches[link]
        assert batch.parent == ""
        assert (run.trace, run.parent) in batch.links
        assert batch.attributes["digital_human.batch.calls"] == len(batch.links)
        assert (batch.started_ns, batch.ended_ns) == (run.started_ns, run.ended_ns)
    of_model = {batch.attributes["digital_human.model"]: batch for batch in batches.values()}
    assert of_model.keys() == {"face", "portrait", "lips"}
    lips = of_model["lips"].attributes
    assert lips["digital_human.variant"] == "viseme"
    assert lips["digital_human.backend"] == "eager"
    assert lips["digital_human.device"] == "cpu"
    assert lips["digital_human.batch.frames"] > 0
    assert len({each.instance for each in everything if each.deployment == "LipSync"}) == 2


async def test_a_refusal_is_a_failed_span_and_says_its_code(
    http: httpx.AsyncClient, collector: Collector
) -> None:
    trace, _, parent = new_parent()
    noise = np.random.default_rng(2).integers(0, 255, (200, 200, 3), np.uint8)
    answer = await talk(http, png(noise), traceparent=parent)
    assert answer.status_code == 422
    spans = await trace_of(collector, trace, 1)
    (request,) = named(spans, "POST /v1/talk")
    assert request.failed
    assert request.attributes["error.type"] == "no_face"
    assert not named(spans, "group")


async def test_a_client_that_wants_no_trace_gets_none_and_probes_never_do(
    http: httpx.AsyncClient, collector: Collector, portrait: bytes
) -> None:
    unwanted, _, parent = new_parent("00")
    assert (await talk(http, portrait, traceparent=parent)).status_code == 200
    assert (await http.get("/readyz")).status_code == 200
    wanted, _, parent = new_parent()
    await http.get("/v1/models", headers={"traceparent": parent})
    assert len(await trace_of(collector, wanted, 0)) == 1
    await asyncio.sleep(2)  # longer than spans are kept before they leave
    assert not [each for each in collector.spans() if each.trace == unwanted]
    assert not [each for each in collector.spans() if "readyz" in each.name]


async def test_no_span_holds_what_a_client_sent(collector: Collector) -> None:
    assert collector.bodies
    assert not [body for body in collector.bodies if MARKER.encode() in body]
