"""ONNX to a TensorRT engine, by whichever edition is there: TensorRT 8.6, 10, 11, or RTX.

The module comes in as a parameter, `import tensorrt` or `import tensorrt_rtx`. Nothing here needs
torch, so that an engine can be built where there is none.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

Handle = Any
"""Something of TensorRT's, which says nothing of types."""

BUCKETS = (1, 4, 8, 16, 32)
"""As `app.runtime.buckets.BUCKETS`, whose module needs torch."""


class BuildFailed(RuntimeError):
    """TensorRT did not make an engine; the text holds what its parser or builder said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSettings:
    """How engines are built.

    Attributes:
        fp16_mode: whether float16 may be used. Where the edition is strongly typed, the graph's
            own types say so, and this must fit them.
        max_batch_size: the largest batch; larger buckets are left out.
        max_workspace_size: bytes that a layer may use beside its tensors, on the GPU that is built
            on.
        buckets: batch sizes; each gets an optimisation profile of its own, in this order.
        profiles: "each" for kernels chosen per bucket; "one" for a single profile from the
            smallest to the largest, tuned for the largest, built in a fraction of the time.
        tactics: names of TensorRT's sources of kernels; its own choice if empty. Version 8 wants
            cuBLAS and cuDNN for some of its own choice.
        builder_optimization_level: 0 for a quick build to 5 for a long one; TensorRT's own if
            absent, which is 3.
    """

    fp16_mode: bool = True
    max_batch_size: int = 32
    max_workspace_size: int = 1 << 30
    buckets: tuple[int, ...] = BUCKETS
    profiles: Literal["each", "one"] = "each"
    tactics: tuple[str, ...] = ()
    builder_optimization_level: int | None = None

    def batches(self) -> tuple[int, ...]:
        """Return the batch sizes that an engine is built for, rising.

        Raises:
            ValueError: none is as small as `max_batch_size`.
        """
        fitting = tuple(sorted(size for size in self.buckets if size <= self.max_batch_size))
        if not fitting:
            raise ValueError(f"no bucket of {self.buckets} is within {self.max_batch_size}")
        return fitting


def version_of(trt: ModuleType) -> tuple[int, ...]:
    """Return the version of a TensorRT module, as numbers."""
    return tuple(int(part) for part in str(trt.__version__).split(".") if part.isdigit())


def library_of(trt: ModuleType) -> str:
    """Return name and version, for an engine's key."""
    return f"{trt.__name__} {trt.__version__}"


def logger_of(trt: ModuleType) -> Handle:
    """Return a logger that keeps errors."""

    class Errors(trt.ILogger):  # type: ignore[name-defined,misc]
        """Keeps what TensorRT calls an error."""

        def __init__(self) -> None:
            super().__init__()
            self.said: list[str] = []

        def log(self, severity: Handle, text: str) -> None:
            if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
                self.said.append(text)

    return Errors()


def build(
    trt: ModuleType,
    graph: bytes,
    settings: BuildSettings = BuildSettings(),
    *,
    timing_cache: Path | None = None,
    capabilities: Sequence[tuple[int, int]] = (),
    progress: Callable[[str], None] = lambda said: None,
) -> bytes:
    """Return a serialized engine.

    Args:
        trt: `tensorrt` or `tensorrt_rtx`.
        graph: a serialized onnx.ModelProto, of `onnx_graph.export`; for version 8 of opset 18 at
            most, and `without_instance_norms`.
        settings: batch sizes, precision, workspace.
        timing_cache: where measured kernel times are kept between builds; read, then replaced.
        capabilities: of the GPUs to build for, such as (8, 9); for RTX, which needs no GPU to
            build. The present GPU if empty.
        progress: told what is being done.

    Raises:
        BuildFailed: the graph cannot be parsed or built.
    """
    logger = logger_of(trt)
    builder = trt.Builder(logger)
    network = builder.create_network(_creation_flags(trt))
    progress("parsing the graph")
    parser = _parse(trt, network, logger, graph)
    config = _configured(trt, builder, network, settings)
    if capabilities:
        config.num_compute_capabilities = len(capabilities)
    else:
        # Ahead of time RTX 1.7 would ask for the limit and the weights at once, and fail.
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, settings.max_workspace_size)
    for index, (major, minor) in enumerate(capabilities):
        target = getattr(trt.ComputeCapability, f"SM{major}{minor}")
        config.set_compute_capability(target, index)
    cache = _read_timings(config, timing_cache)
    progress(f"building for batches of {', '.join(map(str, settings.batches()))}")
    plan = builder.build_serialized_network(network, config)
    del parser
    if plan is None:
        raise BuildFailed("TensorRT could not build the engine: " + " ".join(logger.said))
    if cache is not None and timing_cache is not None:
        timing_cache.parent.mkdir(parents=True, exist_ok=True)
        timing_cache.write_bytes(bytes(config.get_timing_cache().serialize()))
    return bytes(plan)


def _configured(
    trt: ModuleType, builder: Handle, network: Handle, settings: BuildSettings
) -> Handle:
    """Return a builder's configuration, with a profile for every range of batches."""
    config = builder.create_builder_config()
    if not is_strongly_typed(trt):
        _allow_types(trt, network, config, settings)
    if settings.tactics:
        chosen = sum(1 << int(getattr(trt.TacticSource, name)) for name in settings.tactics)
        config.set_tactic_sources(chosen)
    if settings.builder_optimization_level is not None:
        config.builder_optimization_level = settings.builder_optimization_level
    for profile in _profiles(builder, network, settings):
        config.add_optimization_profile(profile)
    return config


def is_strongly_typed(trt: ModuleType) -> bool:
    """Return whether this edition takes its types from the graph, as from version 10 and in RTX."""
    return hasattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED")


def _creation_flags(trt: ModuleType) -> int:
    flags = trt.NetworkDefinitionCreationFlag
    chosen = flags.STRONGLY_TYPED if is_strongly_typed(trt) else flags.EXPLICIT_BATCH
    return 1 << int(chosen)


def _parse(trt: ModuleType, network: Handle, logger: Handle, graph: bytes) -> Handle:
    """Return the parser, which must live as long as the network: it holds the weights."""
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(graph):
        said = [str(parser.get_error(index)) for index in range(parser.num_errors)]
        raise BuildFailed("TensorRT cannot parse the graph: " + " ".join(said or logger.said))
    return parser


def _allow_types(trt: ModuleType, network: Handle, config: Handle, settings: BuildSettings) -> None:
    """Allow the types that the graph asks for, and hold its float32 layers to them (version 8)."""
    layers = [network.get_layer(index) for index in range(network.num_layers)]
    if any(layer.type == trt.LayerType.QUANTIZE for layer in layers):
        config.set_flag(trt.BuilderFlag.INT8)
    if not settings.fp16_mode:
        return
    config.set_flag(trt.BuilderFlag.FP16)
    config.set_flag(trt.BuilderFlag.PREFER_PRECISION_CONSTRAINTS)
    types = [
        {layer.get_output(index).dtype for index in range(layer.num_outputs)} for layer in layers
    ]
    if not any(trt.float16 in each for each in types):
        return
    passive = {trt.LayerType.CONSTANT, trt.LayerType.SHAPE, trt.LayerType.CAST}
    for layer, each in zip(layers, types, strict=True):
        if layer.type not in passive and each == {trt.float32}:
            layer.precision = trt.float32


def _profiles(builder: Handle, network: Handle, settings: BuildSettings) -> list[Handle]:
    """Return the optimisation profiles: batch sizes of every input."""
    sizes = settings.batches()
    ranges = [(size, size, size) for size in sizes]
    if settings.profiles == "one":
        ranges = [(sizes[0], sizes[-1], sizes[-1])]
    profiles = []
    for bounds in ranges:
        profile = builder.create_optimization_profile()
        for index in range(network.num_inputs):
            each = network.get_input(index)
            rest = tuple(each.shape)[1:]
            profile.set_shape(each.name, *((size, *rest) for size in bounds))
        profiles.append(profile)
    return profiles


def _read_timings(config: Handle, path: Path | None) -> Handle:
    """Return the timing cache in use, filled from a file where there is one; None if not asked."""
    if path is None or not hasattr(config, "create_timing_cache"):
        return None
    known = path.read_bytes() if path.is_file() else b""
    cache = config.create_timing_cache(known)
    # Times of another GPU or version are of no use; TensorRT refuses them here.
    if not config.set_timing_cache(cache, ignore_mismatch=False):
        cache = config.create_timing_cache(b"")
        config.set_timing_cache(cache, ignore_mismatch=False)
    return cache
