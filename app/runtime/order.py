"""What engines are made for: a net, its device and settings, and frames to judge them by."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn

from app.runtime.buckets import BUCKETS
from app.runtime.config import RuntimeConfig
from app.runtime.digest import weights_digest
from app.runtime.engine_file import EngineKey
from app.runtime.nets import NetSpec
from app.runtime.precision import Precision
from app.runtime.verdicts import default_folder

CPU_FRAMES = 8
"""Of the largest run on a CPU, where longer ones gain nothing."""


@dataclass(frozen=True)
class Order:
    """What engines are made for.

    Attributes:
        spec: of the net.
        net: loaded, not folded, on the CPU.
        device: of torch.
        config: the settings.
        frames: real inputs, two frames or more: those at even places are calibrated on, and
            engines are judged by the others. Made-up inputs judge where there are none.
    """

    spec: NetSpec
    net: nn.Module
    device: str
    config: RuntimeConfig
    frames: tuple[Tensor, ...] | None = None

    @property
    def folder(self) -> Path:
        """Return where what is built is kept."""
        return self.config.cache or default_folder()

    @property
    def on_cpu(self) -> bool:
        """Return whether it runs on a CPU."""
        return torch.device(self.device).type == "cpu"

    @property
    def sizes(self) -> tuple[int, ...]:
        """Return the batch sizes that engines are made for and timed at."""
        largest = min(self.config.max_batch_size, self.spec.largest)
        return buckets_within(min(largest, CPU_FRAMES) if self.on_cpu else largest)

    @property
    def precision(self) -> Precision:
        """Return what engines on a GPU that know no INT8 compute in."""
        return "fp16" if self.config.fp16_mode else "fp32"

    @cached_property
    def digest(self) -> str:
        """Return what tells the net's weights from others."""
        return weights_digest(self.net)

    def batch(self, size: int, seed: int = 0) -> tuple[Tensor, ...]:
        """Return inputs to be judged and timed by, on the CPU."""
        if self.frames is None:
            return self.spec.samples(size, seed)
        judged = [each[1::2] for each in self.frames]
        places = (torch.arange(size) + seed) % len(judged[0])
        return tuple(each[places] for each in judged)

    def calibration(self) -> tuple[Tensor, ...]:
        """Return the frames to calibrate on.

        Raises:
            ValueError: there are none.
        """
        if self.frames is None:
            raise ValueError(f"INT8 of {self.spec.name} wants real frames, of app.runtime build")
        return tuple(each[::2] for each in self.frames)

    def file(self, precision: Precision, library: str, suffix: str) -> Path:
        """Return where an engine of one precision and library is kept."""
        return (self.folder / self.key(precision, library).file_name()).with_suffix(suffix)

    def key(self, precision: Precision, library: str) -> EngineKey:
        """Return what an engine of one precision and library depends on."""
        from app.runtime.tensorrt import described, gpu_of

        return EngineKey(
            net=self.spec.name,
            weights=self.digest,
            inputs=described(self.spec.inputs()),
            buckets=() if self.on_cpu else self.sizes,
            precision=precision,
            workspace=0 if self.on_cpu else self.config.max_workspace_size,
            gpu="cpu" if self.on_cpu else gpu_of(self.device),
            library=library,
        )


def buckets_within(frames: int) -> tuple[int, ...]:
    """Return the buckets of up to so many frames."""
    return tuple(size for size in BUCKETS if size <= frames)
