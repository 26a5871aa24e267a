"""The verdict of a soak: a leak is caught; noise and a rise in the warm-up are not."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bench.soak_samples import (
    ALL,
    IDLE_WORKER,
    MB,
    Growth,
    Sample,
    Usage,
    gauge,
    is_idle,
    judge,
    role_of,
)

RUN_S = 900.0
TIMES_S = tuple(np.arange(0.0, RUN_S + 1, 5.0))
CALM = Usage(200 * MB, 250 * MB, 10 * MB, 60, 30, 0.0, (1,))
STORE_BYTES = 20.0 * MB


def verdict(samples: list[Sample], after: Sample | None = None) -> list[Growth]:
    return judge(samples, RUN_S, samples[0], after or samples[0])


def missed(samples: list[Sample], after: Sample | None = None) -> set[tuple[str, str]]:
    found = verdict(samples, after)
    return {(growth.process, growth.quantity) for growth in found if not growth.met}


def run(usages: list[Usage], store_bytes: list[float] | None = None) -> list[Sample]:
    store = store_bytes or [STORE_BYTES] * len(usages)
    return [
        Sample(at_s, {"ingress": usage, "gcs": CALM}, used, 0)
        for at_s, usage, used in zip(TIMES_S, usages, store, strict=True)
    ]


def test_what_stays_is_flat() -> None:
    assert not missed(run([CALM] * len(TIMES_S)))


@pytest.mark.parametrize(
    ("field", "rest", "per_s", "quantity"),
    [
        ("memory_bytes", CALM.memory_bytes, 60_000, "memory"),
        ("descriptors", CALM.descriptors, 0.02, "descriptors"),
        ("threads", CALM.threads, 0.02, "threads"),
    ],
)
def test_a_steady_leak_is_caught_in_its_process(
    field: str, rest: int, per_s: float, quantity: str
) -> None:
    usages = [replace(CALM, **{field: int(rest + per_s * at_s)}) for at_s in TIMES_S]  # type: ignore[arg-type]
    assert missed(run(usages)) == {("ingress", quantity)}


@given(st.integers(0, 1000))
def test_noise_is_no_leak(seed: int) -> None:
    rng = np.random.default_rng(seed)
    usages = [
        Usage(
            int(rng.uniform(180, 230) * MB),
            250 * MB,
            10 * MB,
            int(rng.integers(57, 64)),
            int(rng.integers(28, 33)),
            0.0,
            (1,),
        )
        for _ in TIMES_S
    ]
    store = [float(rng.uniform(0, 35)) * MB for _ in TIMES_S]
    assert not missed(run(usages, store))


def test_a_rise_in_the_warm_up_is_no_leak() -> None:
    def at(time_s: float) -> Usage:
        share = min(1.0, time_s / (0.2 * RUN_S))
        return replace(
            CALM,
            memory_bytes=int((50 + 400 * share) * MB),
            descriptors=int(20 + 100 * share),
            threads=int(5 + 40 * share),
        )

    assert not missed(run([at(time_s) for time_s in TIMES_S]))


def test_a_small_process_may_grow_by_megabytes_and_a_large_one_in_proportion() -> None:
    def grown(start: float, end: float) -> set[tuple[str, str]]:
        usages = [
            replace(CALM, memory_bytes=int((start if at_s < RUN_S / 2 else end) * MB))
            for at_s in TIMES_S
        ]
        return missed(run(usages))

    assert not grown(20, 35)
    assert grown(20, 40) == {("ingress", "memory")}
    assert not grown(1000, 1090)
    assert ("ingress", "memory") in grown(1000, 1110)


def test_the_object_store_must_stay_flat_and_be_empty_again_at_rest() -> None:
    leaking = [STORE_BYTES + 50_000 * at_s for at_s in TIMES_S]
    assert missed(run([CALM] * len(TIMES_S), leaking)) == {("object store", "object store")}
    calm = run([CALM] * len(TIMES_S))
    after = replace(calm[0], store_bytes=STORE_BYTES + 17 * MB)
    assert missed(calm, after) == {("object store", "store at rest")}


def test_what_could_not_be_measured_is_not_flat() -> None:
    unknown = [replace(sample, store_bytes=None) for sample in run([CALM] * len(TIMES_S))]
    assert {what for _, what in missed(unknown)} == {"object store", "store at rest"}
    (store,) = (growth for growth in verdict(unknown) if growth.quantity == "object store")
    assert math.isnan(store.end)


def test_a_replaced_process_is_told_because_it_hides_its_growth() -> None:
    usages = [replace(CALM, pids=(1 if at_s < RUN_S / 2 else 2,)) for at_s in TIMES_S]
    assert missed(run(usages)) == {("ingress", "replaced")}


def test_a_process_left_behind_is_growth_and_a_passing_one_is_not() -> None:
    samples = run([CALM] * len(TIMES_S))
    stray = replace(CALM, pids=(9,))
    for number, sample in enumerate(samples):
        if number % 7 == 0:
            sample.usages["passing"] = stray
        if sample.at_s > RUN_S / 2:
            sample.usages["stray"] = stray
            sample.usages[IDLE_WORKER] = replace(stray, memory_bytes=MB, descriptors=3, threads=3)
    told = missed(samples)
    assert {process for process, _ in told} == {"stray", ALL}
    assert ("stray", "replaced") in told


@pytest.mark.parametrize(
    ("words", "role"),
    [
        (["ray::ServeReplica:digital-human:Ingress", ""], "ingress"),
        (["ray::ServeReplica:digital-human:LipSync.handle_request"], "lips"),
        (["ray::ServeReplica:other:Mouth"], "Mouth"),
        (["ray::ServeController.listen_for_change"], "controller"),
        (["ray::ProxyActor"], "proxy"),
        (["ray::IDLE"], IDLE_WORKER),
        (["ray-dashboard-MetricsHead-0", "(/x/python3.11", "-B"], "dashboard Metrics"),
        (["/x/ray/core/src/ray/gcs/gcs_server", "--log_dir=/x"], "gcs"),
        (["/x/raylet/raylet"], "raylet"),
        (
            ["/x/python3.11", "-u", "/x/autoscaler/_private/monitor.py", "--logs-dir=/x"],
            "autoscaler",
        ),
        (["/x/python3.11", "/x/bin/serve", "run", "serve_config.yaml"], "serve"),
        (
            ["/x/python", "-B", "-c", "from multiprocessing.resource_tracker import main;main(25)"],
            "resource_tracker",
        ),
        ([], "?"),
    ],
)
def test_roles_are_read_from_titles_and_command_lines(words: list[str], role: str) -> None:
    assert role_of(words) == role


def test_a_gauge_is_summed_over_its_labels_and_none_where_absent() -> None:
    text = '# HELP used x\nused{a="b c"} 1.5e+06\nused{a="d"} 2\nused_more{a="b"} 9\nbare 3\n'
    assert gauge(text, "used") == 1_500_002
    assert gauge(text, "bare") == 3
    assert gauge(text, "us") is None


@pytest.mark.parametrize(
    ("cpu_s", "sessions", "idle"),
    [(0.2, 0, True), (0.8, 0, False), (0.2, 1, False), (0.2, None, False)],
)
def test_a_server_is_idle_without_work_and_sessions(
    cpu_s: float, sessions: float | None, idle: bool
) -> None:
    last = Sample(10.0, {"lips": CALM}, None, 0)
    now = Sample(15.0, {"lips": replace(CALM, cpu_s=cpu_s)}, None, sessions)
    assert is_idle(last, now) == idle
