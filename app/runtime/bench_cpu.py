"""What engines take per frame on this CPU: eager float32 against INT8, turn by turn."""

import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence

import torch

from app.models.folding import folded
from app.runtime.accuracy import snr_db
from app.runtime.bench import Contender, Row, not_here, row_of
from app.runtime.eager import EagerEngine
from app.runtime.engine import Engine
from app.runtime.makers import makers_of
from app.runtime.nets import Target
from app.runtime.order import Order

BATCHES = (1, 8)
ROUNDS = 15
WARM_UP_ROUNDS = 2


def measure_on_cpu(
    orders: Sequence[Order],
    contenders: Sequence[Contender],
    told: Callable[[str], None] = lambda step: None,
) -> Iterator[Row]:
    """Yield a row per net, batch and contender; those of one net and batch take turns.

    Args:
        orders: nets and settings.
        contenders: which; those that need a GPU yield a row that says so.
        told: called with what is about to be measured.
    """
    for order in orders:
        errors, made = _made(order, contenders, told)
        for target in map(Target, BATCHES):
            told(f"{order.spec.name}, batch {target.batch}")
            figures = _in_turns(order, target.batch, {of: each for of, (each, _) in made.items()})
            for contender in contenders:
                if contender in errors:
                    error = errors[contender]
                    yield row_of(order.spec, target, contender, 0, float("-inf"), 0, error)
                    continue
                wall_ms, cpu_ms, snr = figures[contender]
                made_s = made[contender][1]
                yield row_of(order.spec, target, contender, wall_ms, snr, made_s, cpu_ms=cpu_ms)


def _made(
    order: Order, contenders: Sequence[Contender], told: Callable[[str], None]
) -> tuple[dict[Contender, str], dict[Contender, tuple[Engine, float]]]:
    """Return why contenders do not run, and the others, with the seconds that each took."""
    errors: dict[Contender, str] = {}
    made: dict[Contender, tuple[Engine, float]] = {}
    for contender in contenders:
        told(f"{order.spec.name}, {contender}")
        if contender == "inductor":
            errors[contender] = "not run here: it is for GPUs."
        elif error := not_here(order, contender):
            errors[contender] = error
        else:
            start = time.perf_counter()
            if contender == "eager":
                engine: Engine = EagerEngine(folded(order.net))
            else:
                engine = makers_of(order)[contender]()
            made[contender] = engine, time.perf_counter() - start
    return errors, made


def _in_turns(
    order: Order, batch: int, engines: dict[Contender, Engine]
) -> dict[Contender, tuple[float, float, float]]:
    """Return wall and CPU time per frame, ms, medians, and signal to noise of every engine."""
    inputs = order.batch(batch)
    with torch.inference_mode():
        wanted = folded(order.net)(*inputs)
    times: dict[Contender, list[tuple[float, float]]] = {of: [] for of in engines}
    noise = {of: snr_db(engine.run(*inputs), wanted) for of, engine in engines.items()}
    for i in range(WARM_UP_ROUNDS + ROUNDS):
        for of, engine in engines.items():
            busy, start = os.times(), time.perf_counter()
            engine.run(*inputs)
            wall, after = time.perf_counter() - start, os.times()
            if i >= WARM_UP_ROUNDS:
                times[of].append((wall, after.user - busy.user))
    return {
        of: (
            1000 * statistics.median(wall for wall, _ in taken) / batch,
            # The system counts in hundredths of a second: a mean tells more than a median.
            1000 * statistics.fmean(user for _, user in taken) / batch,
            noise[of],
        )
        for of, taken in times.items()
    }
