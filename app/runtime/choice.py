"""The engine of a net: verified against eager, timed, and taken only where it is better."""

import logging
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from app.errors import NotReady
from app.models.folding import folded
from app.runtime.accuracy import snr_db
from app.runtime.buckets import bucket_of, cut
from app.runtime.config import Backend, RuntimeConfig
from app.runtime.eager import EagerEngine
from app.runtime.engine import Engine
from app.runtime.makers import Make, makers_of, missing, offered, unbuilt
from app.runtime.nets import NETS
from app.runtime.order import Order
from app.runtime.verdicts import Verdict, VerdictCache, default_folder, key_of, machine_of

log = logging.getLogger(__name__)

CHECKED_FRAMES = 2
"""Frames whose output is compared: those of a batch do not see each other."""

FLOAT32_SNR_DB = 60.0
"""Least signal to noise of an engine that stays in float32."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """An engine and how it came to be.

    Attributes:
        engine: the one to use.
        verdicts: of every candidate at every bucket; none where nothing was measured.
        from_cache: whether they were read and not measured.
    """

    engine: Engine
    verdicts: list[Verdict] = field(default_factory=list)
    from_cache: bool = False


class BucketedEngine:
    """Sends each bucket to the engine that measured best at it.

    Args:
        by_bucket: all buckets.
    """

    def __init__(self, by_bucket: dict[int, Engine]) -> None:
        self._by_bucket = by_bucket
        engines = list({id(engine): engine for engine in by_bucket.values()}.values())
        self.backend = "+".join(engine.backend for engine in engines)
        self.precision = "+".join(dict.fromkeys(engine.precision for engine in engines))
        self.device = engines[0].device

    def run(self, *inputs: Tensor) -> Tensor:
        """Return the net's output for a batch."""
        frames, sizes = len(inputs[0]), tuple(self._by_bucket)
        if not frames:
            return self._by_bucket[min(sizes)].run(*inputs)
        parts = []
        for part in cut(frames, max(sizes)):
            chunk = [tensor[part] for tensor in inputs]
            parts.append(self._by_bucket[bucket_of(len(chunk[0]), sizes)].run(*chunk))
        return parts[0] if len(parts) == 1 else torch.cat(parts)


def best_engine(
    name: str,
    net: nn.Module,
    device: str,
    config: RuntimeConfig,
    chunk_frames: int | None = None,
    frames: tuple[Tensor, ...] | None = None,
) -> Chosen:
    """Return the engine that the settings ask for.

    Args:
        name: of `NETS`.
        net: loaded, not folded; on the CPU.
        device: of torch.
        config: the settings.
        chunk_frames: of the eager engine.
        frames: real inputs, as `Order` takes them; on a CPU nothing is measured without.

    Raises:
        NotReady: the settings insist on a backend that does not hold here.
    """
    eager = EagerEngine(folded(net), device, chunk_frames=chunk_frames)
    order = Order(NETS[name], net, device, config, frames)
    named = config.backend if config.backend in offered(order.spec, device) else None
    if config.backend == "eager" or (order.on_cpu and config.backend != "auto" and not named):
        return Chosen(eager)
    if named and (why := missing(named, order)):
        raise _not_ready(name, named, why)
    makers = {of: make for of, make in makers_of(order).items() if named in (None, of)}
    if not makers:
        return Chosen(eager)
    keep_kernels(order.folder)
    cache, key = VerdictCache(order.folder), _key(order)
    known = cache.load(key) or []
    chosen = _as_before(known, makers, eager, order.sizes)
    if chosen is None and order.on_cpu and frames is None:
        if named:
            raise _not_ready(name, named, unbuilt(order))
        chosen = Chosen(eager)
    if chosen is None:
        chosen = measured(order, eager, makers)
        fresh = {(verdict.backend, verdict.batch) for verdict in chosen.verdicts}
        others = [verdict for verdict in known if (verdict.backend, verdict.batch) not in fresh]
        cache.store(key, [*others, *chosen.verdicts])
        chosen = replace(chosen, verdicts=decided(chosen.verdicts))
    if named and {verdict.backend for verdict in chosen.verdicts if verdict.used} != {named}:
        reasons = [v.why for v in chosen.verdicts if v.backend == named and v.why]
        raise _not_ready(name, named, " ".join(reasons))
    return chosen


def _not_ready(name: str, backend: Backend, why: str) -> NotReady:
    return NotReady(
        f"The setting runtime.backend is {backend}, which {name} does not run by.",
        why or "Set it to auto.",
    )


def _key(order: Order) -> str:
    """Return the key of a net's verdicts, with the settings that they depend on."""
    config = order.config
    settings = (
        f"fp16 {config.fp16_mode}, workspace {config.max_workspace_size}, "
        f"{config.min_snr_db} and {config.min_int8_snr_db} dB"
    )
    where = f"{machine_of(order.device)}, {settings}"
    return key_of(order.spec.name, order.digest, order.spec.samples(1), where)


def cache_folder(config: RuntimeConfig) -> Path:
    """Return where measurements and kernels are kept."""
    return config.cache or default_folder()


def keep_kernels(folder: Path) -> None:
    """Let Triton keep what it compiles beside the measurements; nothing where it is not there."""
    try:
        from triton import knobs
    except ImportError:
        return
    knobs.cache.dir = str(folder / "triton")


def measured(order: Order, eager: Engine, makers: Mapping[Backend, Make]) -> Chosen:
    """Return the best of eager and what else can be made, by measurement at every bucket.

    The verdicts are not decided yet: they name what is unfit, and nothing else.
    """
    engines: dict[str, Engine] = {"eager": eager}
    verdicts = [
        Verdict("eager", size, _ms(eager, order, size), float("inf"), False) for size in order.sizes
    ]
    for backend, make in makers.items():
        try:
            engine = make()
            verdicts += [_judged(backend, engine, eager, order, size) for size in order.sizes]
            engines[backend] = engine
        except Exception as failure:
            why = f"{backend} failed: {type(failure).__name__}: {failure}".splitlines()[0]
            verdicts += [
                Verdict(backend, size, 0.0, float("-inf"), False, why) for size in order.sizes
            ]
    final = decided(verdicts)
    for verdict in final:
        if verdict.why and verdict.backend != "eager":
            log.warning("%s at batch %d: %s", order.spec.name, verdict.batch, verdict.why)
    used = {verdict.batch: engines[verdict.backend] for verdict in final if verdict.used}
    return Chosen(_joined(used), verdicts)


@contextmanager
def float32_proper() -> Iterator[None]:
    """Compute float32 in float32 and not in the matrix unit's shorter kind."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = False
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before


def decided(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Return the verdicts with the fastest exact one of each batch size marked as used."""
    result = []
    for verdict in verdicts:
        rivals = [v for v in verdicts if v.batch == verdict.batch and not v.why]
        best = min(rivals, key=lambda rival: rival.ms)
        why = verdict.why
        if verdict is not best and not why:
            why = f"{best.backend} is faster: {best.ms:.2f} ms against {verdict.ms:.2f}."
        used = verdict is best
        result.append(
            Verdict(verdict.backend, verdict.batch, verdict.ms, verdict.snr_db, used, why)
        )
    return result


def _judged(backend: Backend, engine: Engine, eager: Engine, order: Order, size: int) -> Verdict:
    batch, config = order.batch(size, seed=1), order.config
    checked = min(size, CHECKED_FRAMES)
    output = engine.run(*batch)[-checked:]
    with float32_proper():
        reference = eager.run(*(tensor[-checked:] for tensor in batch))
    snr = snr_db(output, reference)
    bounds = {"fp32": FLOAT32_SNR_DB}
    bounds |= dict.fromkeys(("int8", "fp8"), config.min_int8_snr_db)
    wanted = bounds.get(engine.precision, config.min_snr_db)
    # Bytes are rounded, and a value next to a half may go either way.
    wanted = wanted if output.is_floating_point() else min(wanted, config.min_snr_db)
    why = "" if snr >= wanted else f"{snr:.1f} dB of signal to noise, {wanted:.0f} are needed."
    return Verdict(backend, size, _ms(engine, order, size), snr, False, why)


def _ms(engine: Engine, order: Order, size: int) -> float:
    """Return the wall time of a whole run, conversions and copies included, ms."""
    batch = [each.to(engine.device) if each.dim() == 5 else each for each in order.batch(size)]
    times = []
    for i in range(7):
        start = time.perf_counter()
        engine.run(*batch)
        if i > 1:
            times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def _as_before(
    known: Sequence[Verdict], makers: Mapping[Backend, Make], eager: Engine, sizes: Sequence[int]
) -> Chosen | None:
    """Return the engine that earlier verdicts name; nothing where they do not fit or it fails."""
    here = ("eager", *makers)
    verdicts = [v for v in known if v.backend in here and v.batch in sizes]
    if {(v.backend, v.batch) for v in verdicts} != {(of, size) for of in here for size in sizes}:
        return None
    verdicts = decided(verdicts)
    used = {verdict.batch: verdict.backend for verdict in verdicts if verdict.used}
    try:
        made: dict[str, Engine] = {of: makers[of]() for of in makers if of in used.values()}
    except Exception:
        log.warning("an engine that was measured before cannot be made", exc_info=True)
        return None
    engines = {"eager": eager, **made}
    by_bucket = {size: engines[used[size]] for size in sizes}
    return Chosen(_joined(by_bucket), verdicts, from_cache=True)


def _joined(by_bucket: dict[int, Engine]) -> Engine:
    engines = {id(engine) for engine in by_bucket.values()}
    return next(iter(by_bucket.values())) if len(engines) == 1 else BucketedEngine(by_bucket)
