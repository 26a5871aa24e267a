"""A real Prometheus over the running application: names, values, rules and alerts.

It scrapes what Ray exports on this node, evaluates our rules with short windows every second, and
is asked what dashboards would ask. The tests are in order: the last ones break things.
"""

import asyncio
import contextlib
import math
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from app.client.server import LocalServer
from app.errors import OverCapacity
from app.observability import metrics
from app.observability.dashboards import dashboards
from app.observability.labels import DECISIONS, MODELS_OF_ROUTE, RESULTS, ROLES
from app.observability.metrics import METRICS
from app.observability.rules import Limits, RuleSet
from app.observability.stages import STAGES
from app.settings import AppArgs
from tests.prometheus import Prometheus, prometheus
from tests.serve.conftest import spoken
from tests.serve.test_replica_loss import replica

RULES = RuleSet(
    # The budget is one that nobody keeps, and the hold what lets an alert be pending once.
    Limits(window="20s", hold="2s", first_fragment_s=0.001, refused_ratio=0.3)
)
SOON_S = 60.0
SECONDS, FPS = 2, 25
OPTIONS = {"size": "256"}


@dataclass(frozen=True)
class Load:
    """What was asked for, and what the counters said before."""

    talks: int
    refused: int
    before: dict[str, float]


COUNTED = {
    "ok": 'sum(ray_digital_human_requests_total{route="/v1/talk",outcome="ok"})',
    "bad": 'sum(ray_digital_human_requests_total{route="/v1/talk",outcome="bad_request"})',
    "frames": 'sum(ray_digital_human_frames_total{route="/v1/talk"})',
    "video": 'sum(ray_digital_human_video_seconds_total{route="/v1/talk"})',
    "encode": 'sum(ray_digital_human_encode_seconds_total{route="/v1/talk"})',
    "latency": 'sum(ray_digital_human_latency_seconds_count{route="/v1/talk",outcome="ok"})',
    "first": 'sum(ray_digital_human_first_fragment_seconds_count{route="/v1/talk"})',
    "real_time": 'sum(ray_digital_human_real_time_ratio_count{route="/v1/talk"})',
    "offsets": 'sum(ray_digital_human_av_offset_seconds_count{route="/v1/talk"})',
    "in_step": 'sum(ray_digital_human_av_offset_seconds_bucket{route="/v1/talk",le="0.04"})',
    "admitted": 'sum(ray_digital_human_admissions_total{decision="admitted"})',
    "misses": 'sum(ray_digital_human_cache_lookups_total{result="miss"})',
    "hits": 'sum(ray_digital_human_cache_lookups_total{result="hit"})',
    "encodings": 'sum(ray_digital_human_stage_seconds_count{stage="encode"})',
    "painted": 'sum(ray_digital_human_batch_calls_sum{model="lips"})',
    "waits": 'sum(ray_digital_human_queue_wait_seconds_count{model="lips"})',
    "runs": 'sum(ray_digital_human_run_seconds_count{model="lips"})',
    "batches": 'sum(ray_digital_human_batch_frames_count{model="lips"})',
    "fills": 'sum(ray_digital_human_batch_fill_ratio_count{model="lips"})',
}


def discovery(server: LocalServer) -> Path:
    return Path(server.environment["RAY_TMPDIR"]) / "ray" / "prom_metrics_service_discovery.json"


@pytest.fixture(scope="module")
def watching(server: LocalServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with prometheus(tmp_path_factory.mktemp("prometheus"), RULES, discovery(server)) as running:
        yield running


@pytest.fixture(scope="module")
async def load(server: LocalServer, watching: Prometheus, portrait: bytes) -> Load:
    """Ask for three talks and four times for nonsense, and wait until that is counted."""
    talks, refused = 3, 4
    files = {"portrait": portrait, "audio": spoken(SECONDS)}
    async with httpx.AsyncClient(base_url=server.url, timeout=120, trust_env=False) as http:
        await eventually(lambda: bool(watching.query(metrics.ENGINE.exported)))
        await settled(watching)
        before = counted(watching)
        for _ in range(talks):
            answer = await http.post("/v1/talk", files=files, data=OPTIONS)
            assert answer.status_code == 200
            assert int(answer.headers["x-digital-human-frames"]) == SECONDS * FPS
        for _ in range(refused):
            answer = await http.post("/v1/talk", files={"portrait": portrait})
            assert answer.status_code == 400
    await eventually(lambda: counted(watching)["bad"] == before["bad"] + refused)
    await settled(watching)
    return Load(talks, refused, before)


def counted(watching: Prometheus) -> dict[str, float]:
    return {name: watching.value(expr) for name, expr in COUNTED.items()}


async def settled(watching: Prometheus) -> None:
    """Return once all that had happened is exported by every replica, and scraped."""
    seen, since_s = counted(watching), time.monotonic()
    while time.monotonic() - since_s < 4:
        await asyncio.sleep(0.5)
        now = counted(watching)
        if now != seen:
            seen, since_s = now, time.monotonic()


async def eventually(holds: Callable[[], bool]) -> None:
    until_s = time.monotonic() + SOON_S
    while not holds():
        assert time.monotonic() < until_s, "it did not come about"
        await asyncio.sleep(0.5)


async def raised(watching: Prometheus, *alerts: str) -> None:
    """Return once each of these alerts has fired, be it for a moment."""
    seen: set[str] = set()
    while not set(alerts) <= seen:
        seen |= await asyncio.to_thread(watching.firing)
        await asyncio.sleep(0.2)


async def test_counters_have_the_values_that_the_load_implies(
    load: Load, watching: Prometheus
) -> None:
    after = counted(watching)
    grown = {name: round(after[name] - load.before[name], 6) for name in COUNTED}
    groups = load.talks * -(-SECONDS * FPS // AppArgs().session.group_frames)
    assert grown["ok"] == grown["latency"] == grown["first"] == grown["real_time"] == load.talks
    assert grown["bad"] == load.refused
    assert grown["frames"] == load.talks * SECONDS * FPS
    assert grown["video"] == load.talks * SECONDS
    assert grown["encode"] > 0
    assert grown["offsets"] == grown["in_step"] == load.talks
    assert grown["admitted"] == load.talks + load.refused
    # The photo is prepared once at most, and found again for every other group.
    assert grown["misses"] <= 1
    assert grown["misses"] + grown["hits"] == groups
    assert grown["encodings"] == grown["painted"] == grown["waits"] == groups
    assert 1 <= grown["runs"] == grown["batches"] == grown["fills"] <= groups


async def test_every_metric_is_there_and_those_of_gpus_are_not(
    load: Load, watching: Prometheus
) -> None:
    suffix = {"counter": "", "gauge": "", "histogram": "_bucket"}
    for metric in METRICS:
        series = watching.query(metric.exported + suffix[metric.kind])
        assert bool(series) != metric.on_gpu, metric.name
        for labels in map(dict, series):
            assert set(metric.labels) <= set(labels)
            assert labels["application"] == "digital-human"
            assert labels["replica"]


async def test_labels_take_values_of_closed_sets(load: Load, watching: Prometheus) -> None:
    series = watching.query('{__name__=~"ray_digital_human_.+"}')
    roles = {"+".join(models) for models in MODELS_OF_ROUTE.values()}
    closed = {
        "stage": set(STAGES),
        "model": {*ROLES, *roles, "none"},
        "decision": set(DECISIONS),
        "result": set(RESULTS),
        "device": {"cpu"},
        "weights": {"embedded", "published"},
    }
    for labels in map(dict, series):
        for name, values in closed.items():
            assert labels.get(name) in {None, *values}, labels


async def test_what_dashboards_ask_for_is_there(load: Load, watching: Prometheus) -> None:
    absent = {metric.exported for metric in METRICS if metric.on_gpu}
    for board in dashboards():
        for expr in board.exprs():
            # As a dashboard shows it, over some time: what is idle now has no price.
            seen = watching.query(f"max_over_time(({expr})[1m:1s])")
            found = bool(seen)
            assert math.inf not in seen.values(), expr
            needs_gpu = any(name in expr for name in absent) or 'device="cuda"' in expr
            assert found != needs_gpu, f"{board.name}: {expr}"


async def test_every_recorded_series_has_a_value(load: Load, watching: Prometheus) -> None:
    for record in RULES.records():
        values = watching.query(record.name)
        assert values, record.name
    share = watching.value("digital_human:late_frames:ratio")
    assert share == share  # a number, though no frame may have been late
    p95 = watching.value("digital_human:first_fragment_seconds:p95")
    assert 0 < p95 <= max(metrics.FIRST_FRAGMENT.buckets)


async def test_rules_are_loaded_and_none_fails(load: Load, watching: Prometheus) -> None:
    rules = [rule for group in watching.get("rules")["groups"] for rule in group["rules"]]
    names = [record.name for record in RULES.records()]
    names += [alert.name for alert in RULES.alerts()]
    assert {rule["name"] for rule in rules} == set(names)
    assert [rule for rule in rules if rule["health"] != "ok"] == []


async def test_gauges_of_an_idle_server_stay(load: Load, watching: Prometheus) -> None:
    # Ray forgets what two of its reports, here two seconds, did not bring again.
    gauges = [metric.exported for metric in METRICS if metric.kind == "gauge" and not metric.on_gpu]
    await asyncio.sleep(5)
    for name in gauges:
        series = watching.query(name)
        assert series
        for labels in series:
            selector = ",".join(f'{key}="{text}"' for key, text in labels if key != "__name__")
            # As many samples in four seconds as Prometheus took: no gap between two.
            assert watching.value(f"count_over_time({name}{{{selector}}}[4s])") >= 3, labels


async def test_buckets_of_others_are_dropped(load: Load, watching: Prometheus) -> None:
    names = set(watching.get("label/__name__/values"))
    buckets = {name for name in names if name.endswith("_bucket")}
    assert {name for name in buckets if not name.startswith("ray_digital_human_")} == set()
    assert "ray_serve_num_http_requests_total" in names  # the rest is left to other dashboards
    assert buckets


async def test_metrics_of_the_ingress_say_the_same(
    load: Load, watching: Prometheus, http: httpx.AsyncClient
) -> None:
    text = (await http.get("/metrics")).text
    lines = re.findall(r'^digital_human_frames_total{.*route="/v1/talk".*} (\S+)$', text, re.M)
    assert sum(map(float, lines)) == counted(watching)["frames"]


async def test_bad_requests_and_a_missed_budget_raise_their_alerts_and_no_other(
    load: Load, watching: Prometheus, http: httpx.AsyncClient, portrait: bytes
) -> None:
    files = {"portrait": portrait, "audio": spoken(0.4)}

    def fired() -> bool:
        return {"DigitalHumanRefusals", "DigitalHumanFirstFrameSlow"} <= watching.firing()

    until_s = time.monotonic() + SOON_S
    while not fired():
        assert time.monotonic() < until_s, watching.firing()
        assert (await http.post("/v1/talk", files=files, data=OPTIONS)).status_code == 200
        assert (await http.post("/v1/talk", files={"portrait": portrait})).status_code == 400
    quiet = {"DigitalHumanFaults", "DigitalHumanBusy", "DigitalHumanNoReadyReplica"}
    assert not quiet & watching.firing()


@pytest.mark.usefixtures("load")  # refusals come at once: counters must have been seen at 0
async def test_more_than_it_can_do_raises_busy_and_late_frames(
    watching: Prometheus, http: httpx.AsyncClient, portrait: bytes
) -> None:
    # Videos of 60 frames a second and a megapixel: more than two cores make in time.
    files = {"portrait": portrait, "audio": spoken(1)}
    options = {"size": "1024", "fps": "60"}
    session = AppArgs().session
    many = session.max_sessions + session.max_waiting + 4
    tries = (http.post("/v1/talk", files=files, data=options) for _ in range(many))
    # Whom there is no room for is told so at once, and the videos may take longer than a window.
    looking = asyncio.create_task(raised(watching, "DigitalHumanBusy", "DigitalHumanLateFrames"))
    answers = await asyncio.gather(*tries)
    codes = {answer.json()["code"] for answer in answers if answer.status_code != 200}
    assert codes == {OverCapacity.code}
    await asyncio.wait_for(looking, SOON_S)
    assert watching.value('sum(ray_digital_human_admissions_total{decision="server_full"})') >= 4
    assert watching.value(f"sum({metrics.LATE_FRAMES.exported})") > 0


async def test_a_lost_model_raises_faults_and_no_ready_replica_until_it_is_back(
    server: LocalServer, watching: Prometheus, http: httpx.AsyncClient, portrait: bytes
) -> None:
    await eventually(lambda: bool(watching.query(metrics.ENGINE.exported)))
    files = {"portrait": portrait, "audio": spoken(4)}

    async def talk(started: asyncio.Barrier) -> bool:
        """Return whether the video came to its end."""
        with contextlib.suppress(httpx.HTTPError):  # so a cut stream looks
            async with http.stream("POST", "/v1/talk", files=files, data=OPTIONS) as answer:
                chunks = answer.aiter_raw()
                await anext(chunks)
                if await started.wait() == 0:  # all are under way now
                    replica(server, "LipSync").kill()
                async for _ in chunks:
                    pass
                return True
        return False

    async def all_end() -> bool:
        started = asyncio.Barrier(6)
        return all(await asyncio.gather(*(talk(started) for _ in range(started.parties))))

    looking = asyncio.create_task(
        raised(watching, "DigitalHumanFaults", "DigitalHumanNoReadyReplica")
    )
    # Serve sends the calls that the lost replica had not accepted to its successor: where the kill
    # falls between two calls, nobody loses anything, and the next one has its turn.
    until_s = time.monotonic() + SOON_S
    while await all_end():
        assert time.monotonic() < until_s
    await asyncio.wait_for(looking, SOON_S)
    await eventually(lambda: "DigitalHumanNoReadyReplica" not in watching.firing())
    assert (await http.post("/v1/talk", files=files, data=OPTIONS)).status_code == 200
