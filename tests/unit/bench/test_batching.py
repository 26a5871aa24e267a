"""The comparison of batchers: fair loads, right figures, right verdicts. Starts no Ray."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from app.bench import __main__ as command
from app.bench.batching import QUICK, Plan, Run, judge
from app.bench.batching_load import (
    MAX_CALLS,
    MEANING,
    SHAPES,
    EngineShape,
    Figures,
    Load,
    Name,
    SleepingEngine,
    drive,
)
from app.bench.batching_report import plot, tables, write_json

QUICKLY = EngineShape("quick", 0.004, 0.0)


def run(name: Name, p95_s: float, fill: float, seed: int = 0) -> Run:
    return Run(name, Load(QUICKLY, 0.5, seed, 1.0), Figures(fill, p95_s / 2, p95_s, 10.0, 0))


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_arrivals_are_fixed_by_their_seed_and_come_at_the_rate(shape: EngineShape) -> None:
    load = Load(shape, 0.8, 3, 200.0)
    arrivals = load.arrivals()
    assert (arrivals == load.arrivals()).all()
    assert (np.diff(arrivals) >= 0).all()
    assert len(arrivals) / arrivals[-1] == pytest.approx(0.8 * shape.capacity_per_s, rel=0.1)
    assert (arrivals != Load(shape, 0.8, 4, 200.0).arrivals()).any()


def test_capacity_is_that_of_full_runs() -> None:
    assert EngineShape("", 0.04, 0.005).capacity_per_s == pytest.approx(4 / 0.06)


async def test_latency_counts_from_when_a_call_was_due() -> None:
    load = Load(QUICKLY, 0.5, 1, 0.1)
    engine = SleepingEngine(load)
    answered = asyncio.Event()

    async def submit(call: int) -> object:
        engine.run([call])  # blocks the loop as well: later calls start late
        return answered

    figures = await drive(submit, engine, load)
    assert figures.unanswered == 0
    assert figures.fill == 1
    assert figures.p50_s >= 0.004
    assert len(engine.runs) == len(load.arrivals())


async def test_calls_that_are_never_answered_count_with_their_age() -> None:
    load = Load(QUICKLY, 0.5, 1, 0.05)
    engine = SleepingEngine(load)
    calls = 0

    async def submit(call: int) -> object:
        nonlocal calls
        calls += 1
        if calls > 6 and calls % 2:  # the first six warm up
            await asyncio.Event().wait()
        return engine.run([call])

    figures = await drive(submit, engine, load)
    assert figures.unanswered == (len(load.arrivals()) + 1) // 2
    assert figures.p95_s > 0.03


def test_verdicts_are_medians_of_pairs_with_the_same_arrivals() -> None:
    runs = [
        pair
        for seed, (mine, other) in enumerate([(1.0, 1.0), (10.0, 9.0), (3.0, 1.0)])
        for pair in (run("slot-first", other, 2.0, seed), run("steered", mine, 1.9, seed))
    ]
    reference, steered = judge(runs)
    assert (reference.batcher, reference.p95_ratio, reference.close) == ("slot-first", 1.0, True)
    assert steered.p95_ratio == pytest.approx(10 / 9)
    assert steered.fill_ratio == pytest.approx(0.95)
    assert steered.figures.p95_s == 3.0
    assert not steered.close


@pytest.mark.parametrize(
    ("p95_s", "fill", "close"), [(1.09, 2.0, True), (1.11, 2.0, False), (0.5, 1.79, False)]
)
def test_close_is_within_a_tenth_in_latency_and_fill(
    p95_s: float, fill: float, close: bool
) -> None:
    _, verdict = judge([run("slot-first", 1.0, 2.0), run("product", p95_s, fill)])
    assert verdict.close == close


def test_the_plan_goes_from_idle_to_twice_capacity_in_ten_pairs() -> None:
    plan = Plan()
    assert plan.pairs == 10
    assert (min(plan.rates), max(plan.rates)) == (0.1, 2.0)
    assert set(QUICK.rates) <= set(plan.rates)


def test_the_report_shows_every_batcher(tmp_path: Path) -> None:
    runs = [run(name, 1.0, 2.0) for name in MEANING]
    verdicts = judge(runs)
    console = Console(record=True, width=80)
    console.print(*tables(verdicts))
    shown = console.export_text()
    assert all(name in shown for name in MEANING)
    write_json(QUICK, runs, verdicts, tmp_path / "new" / "figures.json")
    document = json.loads((tmp_path / "new" / "figures.json").read_text())
    assert len(document["runs"]) == len(runs)
    assert document["verdicts"][0]["close"] is True


def test_the_plot_is_a_png(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra `bench` is not installed")
    plot(judge([run(name, 1.0, 2.0) for name in MEANING]), tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "called"),
    [
        ([], "talk"),
        (["--requests", "2"], "talk"),
        (["talk", "--requests", "2"], "talk"),
        (["batching", "--quick"], "batching"),
    ],
)
def test_a_bare_command_times_the_demo_job(
    monkeypatch: pytest.MonkeyPatch, words: list[str], called: str
) -> None:
    calls: list[str] = []

    def fake(name: str) -> Callable[[object], int]:
        def run(args: object) -> int:
            calls.append(name)
            return 0

        return run

    monkeypatch.setattr(command, "_talk", fake("talk"))
    monkeypatch.setattr(command, "_batching", fake("batching"))
    assert command.main(words) == 0
    assert calls == [called]


def test_a_run_joins_as_many_calls_as_in_the_product() -> None:
    from app.serving import lips, portrait

    assert MAX_CALLS == lips.MAX_CALLS == portrait.MAX_CALLS
