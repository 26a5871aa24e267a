"""Compares batchers: the same arrivals, at the same time, against one that is slot-first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from app.bench.batching_cluster import drivers
from app.bench.batching_load import MEANING, SHAPES, EngineShape, Figures, Load, Name

PRODUCT: Name = "product"
REFERENCE: Name = "slot-first"
TOLERANCE = 0.1


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured.

    Attributes:
        rates: of arrivals, 1 being the engine's capacity.
        pairs: how often each; each time with other arrivals.
        arrive_s: seconds during which calls arrive.
        shapes: of the engine.
    """

    rates: tuple[float, ...] = (0.1, 0.5, 0.8, 1.2, 2.0)
    pairs: int = 10
    arrive_s: float = 3.5
    shapes: tuple[EngineShape, ...] = SHAPES


QUICK = Plan(rates=(0.1, 0.8, 2.0), pairs=3, arrive_s=2.0)


@dataclass(frozen=True, slots=True)
class Run:
    """The figures of one batcher under one load."""

    batcher: Name
    load: Load
    figures: Figures


def measure(plan: Plan, step: Callable[[int, int], None]) -> list[Run]:
    """Return all runs of a plan, on a Ray of its own.

    All batchers run at the same time, each in a process of its own, on the same arrivals: what
    else this machine does meets every partner of a pair. Sleeping engines take no CPU.

    Args:
        plan: what to measure.
        step: told how many steps of how many are done.
    """
    steps = [(number, rate) for number in range(plan.pairs) for rate in plan.rates]
    runs: list[Run] = []
    step(0, len(steps))
    with drivers(list(MEANING)) as handles:
        for done, (number, rate) in enumerate(steps, 1):
            loads = [Load(shape, rate, number, plan.arrive_s) for shape in plan.shapes]
            answers = {name: handles[name].measure.remote(loads) for name in MEANING}
            for name, answer in answers.items():
                figures = answer.result(timeout_s=10 * loads[0].horizon_s + 60)
                runs += [Run(name, load, f) for load, f in zip(loads, figures, strict=True)]
            step(done, len(steps))
    return runs


@dataclass(frozen=True, slots=True)
class Verdict:
    """One batcher under one kind of load: medians, and medians of its pairs with the reference.

    Attributes:
        batcher: its name.
        shape: name of the engine's shape.
        rate: of arrivals, 1 being the engine's capacity.
        figures: medians of each figure over the runs.
        p95_ratio: P95 latency over the reference's.
        fill_ratio: fill over the reference's.
    """

    batcher: Name
    shape: str
    rate: float
    figures: Figures
    p95_ratio: float
    fill_ratio: float

    @property
    def close(self) -> bool:
        """Whether it comes within the tolerance of the reference."""
        return self.p95_ratio <= 1 + TOLERANCE and self.fill_ratio >= 1 - TOLERANCE


def judge(runs: Sequence[Run]) -> list[Verdict]:
    """Return a verdict per shape, rate and batcher, in the order of the runs."""
    by_load: dict[tuple[EngineShape, float], dict[Name, list[Run]]] = {}
    for run in runs:
        by_batcher = by_load.setdefault((run.load.shape, run.load.rate), {})
        by_batcher.setdefault(run.batcher, []).append(run)
    verdicts = []
    for (shape, rate), by_batcher in by_load.items():
        reference = {run.load.seed: run.figures for run in by_batcher[REFERENCE]}
        for name, own in by_batcher.items():
            pairs = [(run.figures, reference[run.load.seed]) for run in own]
            verdicts.append(
                Verdict(
                    batcher=name,
                    shape=shape.name,
                    rate=rate,
                    figures=_medians([mine for mine, _ in pairs]),
                    p95_ratio=median(mine.p95_s / other.p95_s for mine, other in pairs),
                    fill_ratio=median(mine.fill / other.fill for mine, other in pairs),
                )
            )
    return verdicts


def _medians(figures: Sequence[Figures]) -> Figures:
    return Figures(
        fill=median(f.fill for f in figures),
        p50_s=median(f.p50_s for f in figures),
        p95_s=median(f.p95_s for f in figures),
        per_s=median(f.per_s for f in figures),
        unanswered=round(median(f.unanswered for f in figures)),
    )
