"""The converter torch2trt, where that package is installed, behind the `Engine` protocol.

It is not on the package index: https://github.com/NVIDIA-AI-IOT/torch2trt says how to install it.

Source: NVIDIA-AI-IOT/torch2trt@4e820ae torch2trt/torch2trt.py (`torch2trt`) and
torch2trt/trt_module.py (`TRTModule`), whose signatures tests/unit/runtime/test_torch2trt.py holds.
"""

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from app.runtime.buckets import BUCKETS, bucket_of, cut, padded
from app.runtime.precision import Precision

Around = Callable[[nn.Module], nn.Module]


class Torch2Trt(Protocol):
    """The package, as far as it is used."""

    TRTModule: Callable[[], nn.Module]

    def torch2trt(
        self,
        module: nn.Module,
        inputs: Sequence[Tensor],
        *,
        fp16_mode: bool,
        max_workspace_size: int,
        max_batch_size: int,
    ) -> nn.Module:
        """Return a module that runs the TensorRT engine of the given one."""
        ...


class Unconvertible(RuntimeError):
    """torch2trt is not installed, or has no converter for something that a net does."""


def installed() -> Torch2Trt:
    """Return the package.

    Raises:
        Unconvertible: it cannot be imported.
    """
    try:
        return cast("Torch2Trt", importlib.import_module("torch2trt"))
    except ImportError as error:
        raise Unconvertible(
            "torch2trt is not installed; https://github.com/NVIDIA-AI-IOT/torch2trt says how, "
            f"beside TensorRT and torch with CUDA ({error})."
        ) from error


class Torch2TrtEngine:
    """Runs a converted net.

    Args:
        converted: a `TRTModule`, of `convert` or `loaded`.
        device: where it runs; inputs are moved there.
        buckets: batch sizes that it is run at, the largest no larger than it was converted for.
        precision: that it was converted in, for the model card.
        around: returns the module that is run, given the converted one; itself if absent.
    """

    backend = "torch2trt"

    def __init__(
        self,
        converted: nn.Module,
        device: str = "cuda",
        buckets: Sequence[int] = BUCKETS,
        precision: Precision = "fp16",
        around: Around | None = None,
    ) -> None:
        self.precision: str = precision
        self.device = torch.device(device)
        self._converted = converted
        self._net = around(_Contiguous(converted)) if around else _Contiguous(converted)
        self._buckets = tuple(buckets)

    def run(self, *inputs: Tensor) -> Tensor:
        """Return the net's output for a batch, owned by the caller, on the CPU."""
        parts = [
            self._run([tensor[part] for tensor in inputs])
            for part in cut(len(inputs[0]), max(self._buckets))
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def save(self, path: Path) -> None:
        """Write the engine as torch2trt does: its state dict, by torch.save."""
        torch.save(self._converted.state_dict(), path)

    def replay(self, *inputs: Tensor) -> Tensor:
        """Return the output for a batch that is on the device, and leave it there; for timing."""
        output: Tensor = self._net(*inputs)
        return output

    def _run(self, inputs: Sequence[Tensor]) -> Tensor:
        frames = len(inputs[0])
        size = bucket_of(frames, self._buckets)
        with torch.inference_mode():
            output = self.replay(*(padded(each, size).to(self.device) for each in inputs))
        return output[:frames].to("cpu", copy=True)


class _Contiguous(nn.Module):
    """Runs a converted net, whose engine reads memory as it lies."""

    def __init__(self, converted: nn.Module) -> None:
        super().__init__()
        self.converted = converted

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return the net's output."""
        output: Tensor = self.converted(*(each.contiguous() for each in inputs))
        return output


def convert(
    net: nn.Module,
    inputs: Sequence[Tensor],
    device: str = "cuda",
    *,
    fp16_mode: bool = True,
    max_batch_size: int = 32,
    max_workspace_size: int = 1 << 30,
    around: Around | None = None,
) -> Torch2TrtEngine:
    """Return an engine made by torch2trt.

    Args:
        net: for inference; gives one tensor. Float32, also for `fp16_mode`.
        inputs: an example of one frame, (1, ...) each, of floating types: torch2trt takes no bytes.
        device: a CUDA device.
        fp16_mode: whether float16 may be used.
        max_batch_size: largest batch that is run.
        max_workspace_size: bytes that a layer may use beside its tensors.
        around: as `Torch2TrtEngine` takes it.

    Raises:
        Unconvertible: torch2trt is not installed, or cannot convert the net.
    """
    package = installed()
    strange = sorted({str(each.dtype) for each in inputs if not each.is_floating_point()})
    if strange:
        raise Unconvertible(f"torch2trt takes no inputs of {', '.join(strange)}.")
    examples = [each.to(device) for each in inputs]
    try:
        converted = package.torch2trt(
            net.eval().to(device),
            examples,
            fp16_mode=fp16_mode,
            max_workspace_size=max_workspace_size,
            max_batch_size=max_batch_size,
        )
        with torch.inference_mode():
            converted(*examples)
    # A missing converter shows as an AttributeError on `_trt`, an engine that failed to build as
    # one on None, an operation of wrong arguments as a TypeError or what TensorRT raises.
    except Exception as error:
        raise Unconvertible(
            f"torch2trt cannot convert {type(net).__name__}: {type(error).__name__}: {error}. "
            "Use the tensorrt backend, which converts by ONNX."
        ) from error
    buckets = [size for size in BUCKETS if size <= max_batch_size]
    return Torch2TrtEngine(converted, device, buckets, "fp16" if fp16_mode else "fp32", around)


def loaded(
    path: Path,
    device: str = "cuda",
    max_batch_size: int = 32,
    precision: Precision = "fp16",
    around: Around | None = None,
) -> Torch2TrtEngine:
    """Return an engine that `Torch2TrtEngine.save` wrote.

    Args:
        path: of a file that this process's user trusts: it holds a TensorRT engine.
        device: a CUDA device.
        max_batch_size: that it was converted for.
        precision: likewise.
        around: as `Torch2TrtEngine` takes it.

    Raises:
        Unconvertible: torch2trt is not installed.
    """
    converted = installed().TRTModule()
    state: dict[str, Any] = torch.load(path, weights_only=True)
    converted.load_state_dict(state)
    buckets = [size for size in BUCKETS if size <= max_batch_size]
    return Torch2TrtEngine(converted, device, buckets, precision, around)
