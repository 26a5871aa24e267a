"""What a frame costs in each published net on this machine's CPU: eager, float32, folded.

The published figures are those of the published code: torch 2.13, 2 threads on 2 virtual cores of
an AMD EPYC with AVX2, batch 1, wall time, best of several runs.
"""

import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from app.models.folding import folded
from app.models.liveportrait import state_dict as liveportrait
from app.models.liveportrait.appearance import AppearanceExtractor
from app.models.liveportrait.decoder import Decoder
from app.models.liveportrait.motion import MotionExtractor
from app.models.liveportrait.stitching import Perceptron
from app.models.liveportrait.warping import WarpingNet
from app.models.renaming import RenamingTable, load_official
from app.models.wav2lip import state_dict as wav2lip
from app.models.wav2lip.generator import Wav2Lip
from app.weights.seeded import seeded

THREADS = 2


@dataclass(frozen=True, slots=True)
class Net:
    """A published net.

    Attributes:
        network: as `app.weights.layout` names it.
        make: its class.
        table: its names.
        inputs: shapes of its inputs but for the batch.
        published_s: wall time of a frame in the published code, seconds.
        runs: how many are timed.
    """

    network: str
    make: Callable[[], nn.Module]
    table: RenamingTable
    inputs: tuple[tuple[int, ...], ...]
    published_s: float
    runs: int = 5


IMAGE = (3, 256, 256)
POINTS = (21, 3)

NETS = {
    "appearance": Net(
        "appearance_feature_extractor",
        AppearanceExtractor,
        liveportrait.APPEARANCE,
        (IMAGE,),
        0.590,
    ),
    "motion": Net("motion_extractor", MotionExtractor, liveportrait.MOTION, (IMAGE,), 0.184),
    "warping": Net(
        "warping_module",
        WarpingNet,
        liveportrait.WARPING,
        ((32, 16, 64, 64), POINTS, POINTS),
        3.136,
    ),
    "decoder": Net(
        "spade_generator", Decoder, liveportrait.DECODER, ((256, 64, 64),), 8.898, runs=3
    ),
    "stitching": Net(
        "stitching_retargeting_module/retarget_shoulder",
        Perceptron.shoulder,
        liveportrait.STITCHING,
        ((126,),),
        0.0001,
    ),
    "wav2lip": Net("wav2lip", Wav2Lip, wav2lip.WAV2LIP, ((1, 80, 16), (6, 96, 96)), 0.119),
}


@dataclass(frozen=True, slots=True)
class Row:
    """What a frame takes, batch 1, the best of the runs; seconds.

    Attributes:
        name: of NETS.
        user_s: CPU time in user mode, all threads.
        wall_s: wall time.
        published_s: wall time of the published code on its machine.
    """

    name: str
    user_s: float
    wall_s: float
    published_s: float

    @property
    def met(self) -> bool:
        """Return whether the threads together take no longer than the published code's could."""
        return self.user_s <= THREADS * self.published_s


def measure_nets(
    names: Sequence[str], told: Callable[[str], None] = lambda name: None
) -> list[Row]:
    """Time nets that the parity rule fills, one after the other.

    Args:
        names: of NETS.
        told: called with each name before it is measured.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        rows = []
        for name in names:
            told(name)
            rows.append(_measure(name, NETS[name]))
        return rows
    finally:
        torch.set_num_threads(threads)


@torch.inference_mode()
def _measure(name: str, net: Net) -> Row:
    module = net.make()
    state = {key: torch.from_numpy(array) for key, array in seeded(net.network).items()}
    load_official(module, net.table, state)
    del state
    module = folded(module)
    torch.manual_seed(0)
    inputs = [0.3 * torch.randn(1, *shape) for shape in net.inputs]
    repeats = _repeats(module, inputs)
    user_s, wall_s = zip(*(_time(module, inputs, repeats) for _ in range(net.runs)), strict=True)
    return Row(name, min(user_s), min(wall_s), net.published_s)


def _repeats(module: nn.Module, inputs: Sequence[Tensor]) -> int:
    """Warm up and return how often to run for a sample that the CPU clock can tell."""
    module(*inputs)
    _, wall_s = _time(module, inputs, 1)
    return max(1, round(0.1 / max(wall_s, 1e-5)))


def _time(module: nn.Module, inputs: Sequence[Tensor], repeats: int) -> tuple[float, float]:
    """Return user CPU and wall time of one run, seconds."""
    cpu, wall = resource.getrusage(resource.RUSAGE_SELF).ru_utime, time.perf_counter()
    for _ in range(repeats):
        module(*inputs)
    wall = time.perf_counter() - wall
    cpu = resource.getrusage(resource.RUSAGE_SELF).ru_utime - cpu
    return cpu / repeats, wall / repeats
