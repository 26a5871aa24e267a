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
from app.runtime.choice import CHECKED_FRAMES, compiled, float32_proper
from app.runtime.compiled import CompiledEngine
from app.runtime.fast.make import halved
from app.runtime.subjects import SUBJECTS, Subject, Target, Weights, samples
from app.runtime.timing import median_ms
from app.runtime.verdicts import cudnn_version

Contender = Literal["eager", "inductor", "compiled"]
CONTENDERS: tuple[Contender, ...] = ("eager", "inductor", "compiled")
"""The net in half precision as PyTorch runs it, as torch.compile and a CUDA graph do, and ours."""

INPUT_SETS = 4


@dataclass(frozen=True, slots=True)
class Row:
    """One contender at one net and batch.

    Attributes:
        net: of `SUBJECTS`.
        batch: frames of a run.
        contender: of `CONTENDERS`.
        ms: per frame, median; 0 where it does not run.
        snr_db: of two frames against eager float32.
        made_s: until it was ready, kernels compiled or from the cache.
        floor_ms: of the published net's products alone, at the GPU's peak.
        required_ms: what the project asks for.
        goal_ms: what it hopes for.
        error: why it does not run.
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


@dataclass(frozen=True, slots=True)
class Machine:
    """Where and when it was measured."""

    gpu: str
    driver: str
    versions: str
    date: str


def this_machine() -> Machine:
    """Return what this process runs on."""
    import triton

    asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        driver = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=30)
        version = driver.stdout.splitlines()[0].strip()
    except (OSError, subprocess.SubprocessError, IndexError):
        version = "unknown"
    versions = (
        f"Python {platform.python_version()}, torch {torch.__version__}, Triton "
        f"{triton.__version__}, cuDNN {cudnn_version()}"
    )
    day = datetime.now(UTC).date().isoformat()
    return Machine(torch.cuda.get_device_name(), version, versions, day)


def measure(
    names: Sequence[str],
    contenders: Sequence[Contender],
    weights: Weights,
    told: Callable[[str], None] = lambda step: None,
) -> Iterator[Row]:
    """Yield a row per net, batch and contender, in that order.

    Args:
        names: of `SUBJECTS`.
        contenders: which.
        weights: of the published networks.
        told: called with what is about to be measured.
    """
    with (
        float32_proper(),
        torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=False),
    ):
        for name in names:
            subject = SUBJECTS[name]
            net = subject.make(weights).eval()
            for target in subject.targets:
                for contender in contenders:
                    told(f"{name}, batch {target.batch}, {contender}")
                    yield _row(subject, net, target, contender)


def _row(subject: Subject, net: nn.Module, target: Target, contender: Contender) -> Row:
    batch = target.batch
    sets = [[each.cuda() for each in samples(net, batch, seed)] for seed in range(INPUT_SETS)]
    ms, snr, made_s, error = 0.0, float("-inf"), 0.0, ""
    try:
        start = datetime.now(UTC)
        run = _contender(net, batch, contender)
        with torch.inference_mode():
            output = run(*sets[0])[:CHECKED_FRAMES].float().cpu()
            made_s = (datetime.now(UTC) - start).total_seconds()
            snr = snr_db(output, _reference(net, sets[0]))
            ms = median_ms(run, sets) / batch
    except Exception as failure:
        error = f"{type(failure).__name__}: {failure}".splitlines()[0]
    floor = subject.floor_ms
    return Row(
        *(subject.name, batch, contender, ms, snr, made_s, floor),
        *(target.required_ms, target.goal_ms, error),
    )


def _contender(net: nn.Module, batch: int, contender: Contender) -> Callable[..., Tensor]:
    example = samples(net, CHECKED_FRAMES)
    match contender:
        case "eager":
            straight: Callable[..., Tensor] = halved(net).cuda()
            return straight
        case "inductor":
            torch.compiler.reset()
            module = torch.compile(halved(net).cuda(), dynamic=False)
            assert isinstance(module, nn.Module)
            return CompiledEngine(module, example, buckets=(batch,)).replay
        case "compiled":
            engine = compiled(net, example, "cuda", (batch,))
            assert isinstance(engine, CompiledEngine)
            return engine.replay


def _reference(net: nn.Module, inputs: Sequence[Tensor]) -> Tensor:
    """Return what the net says of the first frames in float32."""
    reference = folded(net).cuda()
    output: Tensor = reference(*(tensor[:CHECKED_FRAMES] for tensor in inputs))
    return output.float().cpu()
