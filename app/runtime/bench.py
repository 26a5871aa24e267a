"""What engines take per frame on this GPU, and how exact they are."""

import platform
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import torch
from torch import Tensor, nn

from app.models.folding import folded
from app.runtime.accuracy import snr_db
from app.runtime.choice import CHECKED_FRAMES, float32_proper
from app.runtime.compiled import CompiledEngine
from app.runtime.makers import compiled, fp8_engine, makers_of, missing, offered, straightforward
from app.runtime.nets import NetSpec, Target
from app.runtime.order import Order
from app.runtime.tensorrt import TensorRtEngine
from app.runtime.timing import median_ms
from app.runtime.torch2trt import Torch2TrtEngine
from app.runtime.verdicts import cpu_name, cudnn_version

Contender = Literal["eager", "inductor", "compiled", "tensorrt", "torch2trt", "int8", "fp8"]
CONTENDERS: tuple[Contender, ...] = (
    *("eager", "inductor", "compiled"),
    *("tensorrt", "torch2trt", "int8", "fp8"),
)
"""The net in half precision as PyTorch runs it, as torch.compile and a CUDA graph do, and the
backends. On a CPU: in float32 as PyTorch runs it, and `int8`."""

INPUT_SETS = 4


@dataclass(frozen=True, slots=True)
class Row:
    """One contender at one net and batch.

    Attributes:
        net: of `NETS`.
        batch: frames of a run.
        contender: of `CONTENDERS`.
        ms: per frame, median; 0 where it does not run.
        snr_db: of two frames against eager float32.
        made_s: until it was ready, kernels compiled or from the cache.
        floor_ms: of the published net's products alone, at the GPU's peak.
        required_ms: what the project asks for.
        goal_ms: what it hopes for.
        error: why it does not run.
        cpu_ms: CPU time of a frame, where it was measured.
    """

    net: str
    batch: int
    contender: Contender
    ms: float
    snr_db: float
    made_s: float
    floor_ms: float
    required_ms: float | None
    goal_ms: float | None
    error: str = ""
    cpu_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Machine:
    """Where and when it was measured; of a CPU there is no driver."""

    gpu: str
    driver: str
    versions: str
    date: str


def this_machine(device: str = "cuda") -> Machine:
    """Return what this process runs on."""
    day = datetime.now(UTC).date().isoformat()
    python = f"Python {platform.python_version()}, torch {torch.__version__}"
    if device == "cpu":
        threads = f"{torch.get_num_threads()} threads"
        return Machine(cpu_name(), "", f"{python}, {threads}", day)
    import triton

    asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        driver = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=30)
        version = driver.stdout.splitlines()[0].strip()
    except (OSError, subprocess.SubprocessError, IndexError):
        version = "unknown"
    versions = f"{python}, Triton {triton.__version__}, cuDNN {cudnn_version()}"
    return Machine(torch.cuda.get_device_name(), version, versions, day)


def measure(
    orders: Sequence[Order],
    contenders: Sequence[Contender],
    told: Callable[[str], None] = lambda step: None,
) -> Iterator[Row]:
    """Yield a row per net, batch and contender on a GPU, in that order.

    Args:
        orders: nets and settings.
        contenders: which.
        told: called with what is about to be measured.
    """
    with (
        float32_proper(),
        torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=False),
    ):
        for order in orders:
            for target in order.spec.targets:
                for contender in contenders:
                    told(f"{order.spec.name}, batch {target.batch}, {contender}")
                    yield _row(order, target, contender)


def _row(order: Order, target: Target, contender: Contender) -> Row:
    batch, spec = target.batch, order.spec
    sets = [[each.cuda() for each in order.batch(batch, seed)] for seed in range(INPUT_SETS)]
    ms, snr, made_s, error = 0.0, float("-inf"), 0.0, not_here(order, contender)
    try:
        if not error:
            start = datetime.now(UTC)
            run = _contender(order, batch, contender)
            with torch.inference_mode():
                output = run(*sets[0])[:CHECKED_FRAMES].float().cpu()
                made_s = (datetime.now(UTC) - start).total_seconds()
                snr = snr_db(output, _reference(order.net, sets[0]))
                ms = median_ms(run, sets) / batch
    except Exception as failure:
        error = f"{type(failure).__name__}: {failure}".splitlines()[0]
    return row_of(spec, target, contender, ms, snr, made_s, error)


def row_of(
    spec: NetSpec,
    target: Target,
    contender: Contender,
    ms: float,
    snr: float,
    made_s: float,
    error: str = "",
    cpu_ms: float | None = None,
) -> Row:
    """Return what was measured beside what is asked of it."""
    return Row(
        *(spec.name, target.batch, contender, ms, snr, made_s, spec.floor_ms),
        *(target.required_ms, target.goal_ms, error, cpu_ms),
    )


def not_here(order: Order, contender: Contender) -> str:
    """Return why a contender is not run here; nothing where it is."""
    if contender in ("eager", "inductor"):
        return ""
    if contender not in offered(order.spec, order.device):
        return f"not run here: {order.spec.name} has no {contender} on this device."
    why = missing(contender, order)
    return f"not run here: {why}" if why else ""


def _contender(order: Order, batch: int, contender: Contender) -> Callable[..., Tensor]:
    spec, net = order.spec, order.net
    match contender:
        case "eager":
            straight: Callable[..., Tensor] = straightforward(spec, net).cuda()
            return straight
        case "inductor":
            torch.compiler.reset()
            module = torch.compile(straightforward(spec, net).cuda(), dynamic=False)
            assert isinstance(module, nn.Module)
            return CompiledEngine(module, spec.samples(1), buckets=(batch,)).replay
        case "compiled" | "fp8":
            made = (
                compiled(spec, net, order.device, (batch,))
                if contender == "compiled"
                else fp8_engine(order, (batch,))
            )
            assert isinstance(made, CompiledEngine)
            return made.replay
        case _:
            engine = makers_of(order)[contender]()
            assert isinstance(engine, TensorRtEngine | Torch2TrtEngine)
            return engine.replay


def _reference(net: nn.Module, inputs: Sequence[Tensor]) -> Tensor:
    """Return what the net says of the first frames in float32."""
    reference = folded(net).cuda()
    output: Tensor = reference(*(tensor[:CHECKED_FRAMES] for tensor in inputs))
    return output.float().cpu()
