"""Which engines can be tried here for a net, and how each is made.

What was built is kept in the cache folder under its key. Packages are imported by the maker that
needs them: serving eagerly loads none.
"""

import importlib
import importlib.util
import json
import logging
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

import torch
from torch import nn

from app.models.folding import folded
from app.models.wav2lip.painter import Painter
from app.runtime.buckets import BUCKETS
from app.runtime.config import Backend
from app.runtime.engine import Engine
from app.runtime.engine_file import EngineRefused
from app.runtime.nets import NetSpec
from app.runtime.order import CPU_FRAMES, Order
from app.runtime.precision import Precision, halved
from app.weights.replacing import replacing

log = logging.getLogger(__name__)

Make = Callable[[], Engine]

INT8_ON_CPU = frozenset({"wav2lip", "controls"})
"""OpenVINO samples no volumes, so that LivePortrait's frames cannot go through it."""

INT8_ON_GPU = frozenset({"wav2lip", "animator"})
"""Nets of which real frames can be had to calibrate on."""

HOPPER = 9
"""Compute capability that our kernels are written for."""

FP8 = frozenset({"animator"})
"""Nets whose products are large enough to gain by it."""


def there(package: str) -> bool:
    """Return whether a package can be imported, without importing it."""
    if package in sys.modules:
        return sys.modules[package] is not None
    return importlib.util.find_spec(package) is not None


def offered(spec: NetSpec, device: str) -> tuple[Backend, ...]:
    """Return the backends besides eager that a net has on a device, were all installed.

    Embedded nets have none: they make constants on the host while they run, which no graph
    can capture.
    """
    if not spec.names:
        return ()
    if torch.device(device).type == "cpu":
        return ("int8",) if spec.name in INT8_ON_CPU else ()
    int8: tuple[Backend, ...] = ("int8",) if spec.name in INT8_ON_GPU else ()
    fp8: tuple[Backend, ...] = ("fp8",) if spec.name in FP8 else ()
    return ("compiled", "tensorrt", "torch2trt", *int8, *fp8)


def makers_of(order: Order) -> dict[Backend, Make]:
    """Return what can be tried here for a net; a maker may still fail."""
    makers: dict[Backend, Make] = {
        "compiled": lambda: compiled(order.spec, order.net, order.device, order.sizes),
        "tensorrt": lambda: tensorrt_engine(order),
        "torch2trt": lambda: torch2trt_engine(order),
        "int8": lambda: int8_on_cpu(order) if order.on_cpu else int8_on_gpu(order),
        "fp8": lambda: fp8_engine(order, order.sizes),
    }
    backends = offered(order.spec, order.device)
    return {backend: makers[backend] for backend in backends if not missing(backend, order)}


def missing(backend: Backend, order: Order) -> str:
    """Return in a sentence what a backend lacks here; nothing where it can be tried."""
    wants = unbuilt(order)
    match backend:
        case "compiled":
            return "" if order.config.fp16_mode else "It is in float16, and fp16_mode is off."
        case "tensorrt":
            if not there("tensorrt"):
                return "The package tensorrt is not installed."
            can = there("onnx") or plan_file(order, order.precision).is_file()
            return "" if can else 'Run: pip install "digital-human[export]".'
        case "torch2trt":
            return "" if there("torch2trt") else "The package torch2trt is not installed."
        case "int8" if order.on_cpu:
            if not there("openvino"):
                return 'OpenVINO is not installed. Run: pip install "digital-human[int8]".'
            can = order.frames is not None and there("nncf")
            return "" if can or int8_file(order).is_file() else wants
        case "int8":
            if not there("tensorrt"):
                return "The package tensorrt is not installed."
            can = order.frames is not None and there("modelopt")
            return "" if can or plan_file(order, "int8").is_file() else wants
        case "fp8":
            if not on_hopper(order.device):
                return "Its kernels are for NVIDIA's Hopper GPUs."
            return "" if order.frames is not None or peaks_file(order).is_file() else wants
        case _:
            return ""


def on_hopper(device: str) -> bool:
    """Return whether a CUDA device is of the kind that our kernels are written for."""
    return torch.cuda.is_available() and torch.cuda.get_device_capability(device)[0] == HOPPER


def unbuilt(order: Order) -> str:
    """Return what to run for an engine that is not built as a server starts."""
    device = torch.device(order.device).type
    command = f"python -m app.runtime build {order.spec.name} --device {device}"
    return (
        "It is not built for these weights and settings. "
        f"Run: {command} --weights published (or seeded)."
    )


def straightforward(spec: NetSpec, net: nn.Module) -> nn.Module:
    """Return the net as it is, folded, in half precision and channels last; embedded: float32."""
    plain = folded(net)
    return halved(plain, spec.float32, spec.narrow, last=True) if spec.names else plain


def compiled(spec: NetSpec, net: nn.Module, device: str, sizes: Sequence[int] = BUCKETS) -> Engine:
    """Return the `compiled` engine of a net: by our kernels on Hopper, else by the libraries'."""
    from app.runtime.compiled import CompiledEngine
    from app.runtime.fast.make import fast

    made = (fast(net) if on_hopper(device) else None) or straightforward(spec, net)
    return CompiledEngine(made, spec.samples(1), device, "fp16", sizes)


def peaks_file(order: Order) -> Path:
    """Return where the largest values inside a net on real frames are kept."""
    return order.file("fp8", "largest values", ".peaks")


def fp8_engine(order: Order, sizes: Sequence[int]) -> Engine:
    """Return the engine of our kernels in 8 bits, measured on frames where the cache has not."""
    from app.runtime.compiled import CompiledEngine
    from app.runtime.fast.eight_bit import narrow, peaks
    from app.runtime.fast.make import FastAnimator, fast

    net, path = fast(order.net), peaks_file(order)
    assert isinstance(net, FastAnimator)
    net = net.to(order.device)
    if not path.is_file():
        frames = [each.to(order.device) for each in order.calibration()]
        with replacing(path) as file:
            file.write_text(json.dumps(peaks(net, frames)))
    narrow(net, json.loads(path.read_text()))
    return CompiledEngine(net, order.spec.samples(1), order.device, "fp8", sizes)


def tensorrt_engine(order: Order) -> Engine:
    """Return the engine of TensorRT, in float16 or float32, from the cache where it is there."""
    from app.runtime.onnx_graph import exportable, net_for

    trt = importlib.import_module("tensorrt")

    def graph() -> bytes:
        net = net_for(order.spec, exportable(order.net), order.config.fp16_mode)
        return _serialized(trt, order, net, None)

    return _planned(trt, order, order.precision, graph)


def int8_on_gpu(order: Order) -> Engine:
    """Return TensorRT's engine of a graph with Q/DQ, calibrated on real frames."""
    from app.runtime.onnx_graph import exportable, net_for

    trt = importlib.import_module("tensorrt")

    def graph() -> bytes:
        net = exportable(order.net)
        kind = net_for(order.spec, net, order.config.fp16_mode)
        return _serialized(trt, order, kind, net)

    return _planned(trt, order, "int8", graph)


def _serialized(
    trt: ModuleType, order: Order, net: nn.Module, quantised: nn.Module | None
) -> bytes:
    """Return the graph as an edition of TensorRT takes it, with Q/DQ where a net is to get it."""
    from app.runtime.onnx_graph import OPSET, export, without_instance_norms
    from app.runtime.qdq_graph import quantised_graph
    from app.runtime.tensorrt_build import is_strongly_typed

    modern = is_strongly_typed(trt)
    model = export(net, order.spec.inputs(), opset=OPSET if modern else 18)
    if quantised is not None:
        from app.runtime.quantisation import quantise

        frames = order.calibration()
        batches = [tuple(each[i : i + 1] for each in frames) for i in range(len(frames[0]))]
        model = quantised_graph(model, quantised, quantise(quantised, batches))
    graph: bytes = (model if modern else without_instance_norms(model)).SerializeToString()
    return graph


def _planned(
    trt: ModuleType, order: Order, precision: Precision, graph: Callable[[], bytes]
) -> Engine:
    """Return the engine of a plan in the cache, built anew where TensorRT refuses it."""
    from app.runtime.tensorrt import TensorRtEngine, load_or_build
    from app.runtime.tensorrt_build import BuildSettings, build, library_of

    settings = BuildSettings(
        fp16_mode=order.config.fp16_mode,
        max_batch_size=order.sizes[-1],
        max_workspace_size=order.config.max_workspace_size,
    )
    key = order.key(precision, library_of(trt))
    timings = order.folder / "tensorrt.timings"

    def engine() -> TensorRtEngine:
        plan = load_or_build(
            order.folder, key, lambda: build(trt, graph(), settings, timing_cache=timings)
        )
        return TensorRtEngine(trt, plan, order.sizes, order.device, precision=precision)

    try:
        made = engine()
    except EngineRefused:
        # Of another driver, which no key tells.
        (order.folder / key.file_name()).unlink(missing_ok=True)
        made = engine()
    made.warm_up()
    return made


def plan_file(order: Order, precision: Precision) -> Path:
    """Return where TensorRT's plan is kept."""
    from app.runtime.tensorrt_build import library_of

    key = order.key(precision, library_of(importlib.import_module("tensorrt")))
    return order.folder / key.file_name()


def torch2trt_engine(order: Order) -> Engine:
    """Return the engine of torch2trt, from the cache where it is there.

    It takes no bytes: Wav2Lip goes through it without the conversions around it.
    """
    from app.runtime.torch2trt import convert, loaded

    fp16_mode, largest = order.config.fp16_mode, order.sizes[-1]
    net, example = folded(order.net), order.spec.samples(1)
    around = None
    if isinstance(net, Painter):
        net, around = net.net, Painter
        example = (torch.randn(1, 1, 80, 16), torch.rand(1, 6, 96, 96))
    trt, precision = importlib.import_module("tensorrt"), order.precision
    path = order.file(precision, f"torch2trt, tensorrt {trt.__version__}", ".pth")
    if path.is_file():
        try:
            kept = loaded(path, order.device, largest, precision, around)
            kept.run(*order.spec.samples(1))
            return kept
        except Exception:
            log.warning("%s does not run here, and is made anew", path, exc_info=True)
    engine = convert(
        net,
        example,
        order.device,
        fp16_mode=fp16_mode,
        max_batch_size=largest,
        max_workspace_size=order.config.max_workspace_size,
        around=around,
    )
    order.folder.mkdir(parents=True, exist_ok=True)
    engine.save(path)
    return engine


def int8_file(order: Order) -> Path:
    """Return where the CPU's quantised net is kept."""
    return order.file("int8", f"openvino {version('openvino')}", ".xml")


def int8_on_cpu(order: Order) -> Engine:
    """Return OpenVINO's engine, quantised on real frames where the cache does not have it."""
    from app.runtime.int8 import Int8Engine, quantise_for_cpu
    from app.runtime.onnx_graph import export, exportable

    path = int8_file(order)
    if not path.is_file():
        frames = order.calibration()
        order.folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=order.folder) as name:
            graph, made = Path(name) / "graph.onnx", Path(name) / path.name
            export(exportable(order.net), order.spec.inputs(), graph)
            quantise_for_cpu(graph, [frames], made)
            # The weights first: whoever sees the one sees both.
            made.with_suffix(".bin").replace(path.with_suffix(".bin"))
            made.replace(path)
    return Int8Engine(path, torch.get_num_threads(), chunk_frames=CPU_FRAMES)
