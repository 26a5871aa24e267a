"""The engine of a net: verified against eager, timed, and taken only where it is better."""

import logging
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from app.errors import NotReady
from app.models.folding import folded
from app.runtime.accuracy import snr_db
from app.runtime.buckets import BUCKETS, bucket_of, cut
from app.runtime.config import RuntimeConfig
from app.runtime.eager import EagerEngine
from app.runtime.engine import Engine
from app.runtime.fast.make import HOPPER, fast, halved, published
from app.runtime.subjects import samples
from app.runtime.verdicts import Verdict, VerdictCache, default_folder, key_of, machine_of

log = logging.getLogger(__name__)

CHECKED_FRAMES = 2
"""Frames whose output is compared: those of a batch do not see each other."""

FLOAT32_SNR_DB = 60.0
"""Least signal to noise of an engine that stays in float32."""

Make = Callable[[], Engine]


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
) -> Chosen:
    """Return the engine that the settings ask for.

    Args:
        name: of the net, in logs and in the cache.
        net: loaded, not folded, of `subjects`; on the CPU.
        device: "cpu", where nets run eagerly, or "cuda".
        config: the settings.
        chunk_frames: of the eager engine.

    Raises:
        NotReady: the settings insist on a backend that does not hold here.
    """
    eager = EagerEngine(folded(net), device, chunk_frames=chunk_frames)
    # Embedded nets make constants on the host while they run, which no graph can capture.
    if device == "cpu" or config.backend == "eager" or not published(net):
        return Chosen(eager)
    example = samples(net, CHECKED_FRAMES)
    cache = VerdictCache(config.cache or default_folder())
    key = key_of(name, net, example, machine_of(device))
    keep_kernels(cache_folder(config))
    sizes = buckets_within(config.max_batch_size)
    makers: dict[str, Make] = {"compiled": lambda: compiled(net, example, device, sizes)}
    known = cache.load(key)
    if known is not None:
        chosen = _as_before(known, makers, eager, sizes)
        if chosen is not None:
            return chosen
    chosen = measured(name, eager, makers, net, sizes, config.min_snr_db)
    cache.store(key, chosen.verdicts)
    if config.backend not in ("auto", chosen.engine.backend):
        reasons = " ".join(v.why for v in chosen.verdicts if v.backend == config.backend and v.why)
        raise NotReady(
            f"The setting runtime.backend is {config.backend}, which {name} does not run by.",
            reasons or "Set it to auto.",
        )
    return chosen


def cache_folder(config: RuntimeConfig) -> Path:
    """Return where measurements and kernels are kept."""
    return config.cache or default_folder()


def buckets_within(frames: int) -> tuple[int, ...]:
    """Return the buckets of up to so many frames."""
    return tuple(size for size in BUCKETS if size <= frames)


def keep_kernels(folder: Path) -> None:
    """Let Triton keep what it compiles beside the measurements; nothing where it is not there."""
    try:
        from triton import knobs
    except ImportError:
        return
    knobs.cache.dir = str(folder / "triton")


def compiled(
    net: nn.Module, example: Sequence[Tensor], device: str, sizes: Sequence[int] = BUCKETS
) -> Engine:
    """Return the `compiled` engine of a net: by our kernels on Hopper, else by the libraries'."""
    from app.runtime.compiled import CompiledEngine

    hopper = torch.cuda.get_device_capability(device)[0] == HOPPER
    made = fast(net) if hopper else halved(net)
    precision = "fp16" if published(net) else "fp32"
    return CompiledEngine(made, example, device, precision, sizes)


def measured(
    name: str,
    eager: Engine,
    makers: dict[str, Make],
    net: nn.Module,
    sizes: Sequence[int],
    min_snr_db: float,
) -> Chosen:
    """Return the best of eager and what else can be made, by measurement at every bucket."""
    engines: dict[str, Engine] = {"eager": eager}
    verdicts = [_of_eager(eager, net, size) for size in sizes]
    for backend, make in makers.items():
        try:
            engine = make()
            verdicts += [_judged(engine, eager, net, size, min_snr_db) for size in sizes]
            engines[backend] = engine
        except Exception as failure:
            why = f"{backend} failed: {type(failure).__name__}: {failure}".splitlines()[0]
            verdicts += [Verdict(backend, size, 0.0, float("-inf"), False, why) for size in sizes]
    verdicts = decided(verdicts)
    for verdict in verdicts:
        if verdict.why and verdict.backend != "eager":
            log.warning("%s at batch %d: %s", name, verdict.batch, verdict.why)
    used = {verdict.batch: engines[verdict.backend] for verdict in verdicts if verdict.used}
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


def _of_eager(eager: Engine, net: nn.Module, size: int) -> Verdict:
    return Verdict("eager", size, _ms(eager, net, size), float("inf"), False)


def _judged(engine: Engine, eager: Engine, net: nn.Module, size: int, min_snr_db: float) -> Verdict:
    batch = samples(net, size, seed=1)
    checked = min(size, CHECKED_FRAMES)
    output = engine.run(*batch)[-checked:]
    with float32_proper():
        reference = eager.run(*(tensor[-checked:] for tensor in batch))
    snr = snr_db(output, reference)
    wanted = min_snr_db if engine.precision != "fp32" else FLOAT32_SNR_DB
    # Bytes are rounded, and a value next to a half may go either way.
    wanted = wanted if output.is_floating_point() else min(wanted, min_snr_db)
    why = "" if snr >= wanted else f"{snr:.1f} dB of signal to noise, {wanted:.0f} are needed."
    return Verdict(engine.backend, size, _ms(engine, net, size), snr, False, why)


def _ms(engine: Engine, net: nn.Module, size: int) -> float:
    """Return the wall time of a whole run, conversions and copies included, ms."""
    on_device = engine.device
    batch = [each.to(on_device) if each.dim() == 5 else each for each in samples(net, size)]
    times = []
    for i in range(7):
        start = time.perf_counter()
        engine.run(*batch)
        if i > 1:
            times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def _as_before(
    known: Sequence[Verdict], makers: dict[str, Make], eager: Engine, sizes: Sequence[int]
) -> Chosen | None:
    """Return the engine that earlier verdicts name; nothing where they do not fit or it fails."""
    used = {verdict.batch: verdict.backend for verdict in known if verdict.used}
    if set(used) != set(sizes) or not set(used.values()) <= {"eager", *makers}:
        return None
    try:
        engines = {of: eager if of == "eager" else makers[of]() for of in set(used.values())}
    except Exception:
        log.warning("an engine that was measured before cannot be made", exc_info=True)
        return None
    by_bucket = {size: engines[used[size]] for size in sizes}
    return Chosen(_joined(by_bucket), list(known), from_cache=True)


def _joined(by_bucket: dict[int, Engine]) -> Engine:
    engines = {id(engine) for engine in by_bucket.values()}
    return next(iter(by_bucket.values())) if len(engines) == 1 else BucketedEngine(by_bucket)
