"""TensorRT as its Python modules are, as far as it is used: with types (8.6), or strongly typed."""

import ctypes
import struct
from collections.abc import Callable
from enum import IntEnum
from types import ModuleType, SimpleNamespace
from typing import Any


class Severity(IntEnum):
    INTERNAL_ERROR = 0
    ERROR = 1
    WARNING = 2


class ILogger:
    INTERNAL_ERROR, ERROR, WARNING = Severity

    def __init__(self) -> None:
        pass


class Mode(IntEnum):
    NONE = 0
    INPUT = 1
    OUTPUT = 2


class Kind(IntEnum):
    FLOAT = 0


class Builder:
    """Says in its engine what it was asked; `calls` holds the same."""

    def __init__(self, trt: ModuleType, logger: ILogger) -> None:
        self._calls: dict[str, Any] = vars(trt)["calls"]

    def create_network(self, flags: int) -> SimpleNamespace:
        self._calls["flags"] = flags
        each = SimpleNamespace(name="x", shape=(-1, 3))
        layers = list(self._calls["layers"])
        return SimpleNamespace(
            num_inputs=1,
            get_input=lambda index: each,
            num_layers=len(layers),
            get_layer=lambda index: layers[index],
        )

    def create_builder_config(self) -> "Config":
        return Config(self._calls)

    def create_optimization_profile(self) -> SimpleNamespace:
        shapes = self._calls.setdefault("profiles", [])
        return SimpleNamespace(set_shape=lambda *given: shapes.append(given))

    def build_serialized_network(self, network: object, config: object) -> bytes | None:
        plan: bytes | None = self._calls["plan"]
        return plan


class Config:
    def __init__(self, calls: dict[str, Any]) -> None:
        self._calls = calls
        self._cache = b""

    def set_memory_pool_limit(self, pool: str, size: int) -> None:
        self._calls[pool] = size

    def set_flag(self, flag: int) -> None:
        self._calls.setdefault("build flags", []).append(flag)

    def set_tactic_sources(self, sources: int) -> None:
        self._calls["tactics"] = sources

    def add_optimization_profile(self, profile: object) -> int:
        return 0

    def create_timing_cache(self, known: bytes) -> bytes:
        return known

    def set_timing_cache(self, cache: bytes, ignore_mismatch: bool) -> bool:
        self._cache = cache
        return cache in (b"", b"times")

    def get_timing_cache(self) -> SimpleNamespace:
        return SimpleNamespace(serialize=lambda: b"times")


class Parser:
    num_errors = 1

    def __init__(self, network: object, logger: ILogger) -> None:
        pass

    def parse(self, graph: bytes) -> bool:
        return graph == b"graph"

    def get_error(self, index: int) -> str:
        return "unknown operation"


def fake(version: str, strong: bool, **calls: Any) -> ModuleType:  # noqa: ANN401
    """Return a module that builds; its `calls` say what was asked."""
    trt = ModuleType("tensorrt")
    flags = {"STRONGLY_TYPED": 1} if strong else {"EXPLICIT_BATCH": 0}
    layer_types = SimpleNamespace(CONSTANT=0, SHAPE=1, CAST=2, CONVOLUTION=3, QUANTIZE=4)
    vars(trt).update(
        __version__=version,
        ILogger=ILogger,
        calls={"layers": (), "plan": b"plan", **calls},
        Builder=lambda logger: Builder(trt, logger),
        OnnxParser=Parser,
        NetworkDefinitionCreationFlag=SimpleNamespace(**flags),
        MemoryPoolType=SimpleNamespace(WORKSPACE="workspace"),
        BuilderFlag=SimpleNamespace(
            INT8="int8", FP16="fp16", PREFER_PRECISION_CONSTRAINTS="prefer"
        ),
        TacticSource=SimpleNamespace(EDGE_MASK_CONVOLUTIONS=3, JIT_CONVOLUTIONS=4),
        LayerType=layer_types,
        TensorIOMode=Mode,
        float16="half",
        float32="float",
        Runtime=lambda logger: SimpleNamespace(deserialize_cuda_engine=_deserialized(trt)),
    )
    return trt


def _deserialized(trt: ModuleType) -> Callable[[bytes], "Engine | None"]:
    def take(plan: bytes) -> Engine | None:
        return Engine() if plan == b"plan" else None

    return take


class Engine:
    """Doubles x, (B, 3), by its address, as an engine does with device memory."""

    num_io_tensors = 2
    num_optimization_profiles = 5
    contexts: "list[Context]"

    def __init__(self) -> None:
        self.contexts = []

    def get_tensor_name(self, index: int) -> str:
        return "xy"[index]

    def get_tensor_mode(self, name: str) -> Mode:
        return Mode.INPUT if name == "x" else Mode.OUTPUT

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return (-1, 3)

    def get_tensor_dtype(self, name: str) -> Kind:
        return Kind.FLOAT

    def create_execution_context(self) -> "Context":
        self.contexts.append(Context())
        return self.contexts[-1]


class Context:
    def __init__(self) -> None:
        self.profile = -1
        self.runs = 0
        self._batch = 0
        self._at: dict[str, int] = {}

    def set_optimization_profile_async(self, index: int, stream: int) -> bool:
        self.profile = index
        return True

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self._batch = shape[0]
        return True

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return (self._batch, 3)

    def set_tensor_address(self, name: str, address: int) -> bool:
        self._at[name] = address
        return True

    def execute_async_v3(self, stream: int) -> bool:
        self.runs += 1
        size = 4 * 3 * self._batch
        numbers = struct.unpack(f"{3 * self._batch}f", ctypes.string_at(self._at["x"], size))
        doubled = struct.pack(f"{3 * self._batch}f", *(2 * each for each in numbers))
        ctypes.memmove(self._at["y"], doubled, size)
        return True


def layer(kind: int, dtype: str) -> SimpleNamespace:
    """Return a layer of one output."""
    output = SimpleNamespace(dtype=dtype)
    return SimpleNamespace(type=kind, num_outputs=1, get_output=lambda index: output)
