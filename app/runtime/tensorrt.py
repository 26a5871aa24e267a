"""TensorRT engines behind the `Engine` protocol, run as CUDA graphs.

The module comes in as a parameter, as in `tensorrt_build`; device memory is torch's. A lane is a
stream with an execution context, buffers and a graph for every bucket; what runs in one lane waits
for nothing in another.
"""

import queue
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import torch

from app.runtime.buckets import bucket_of, cut
from app.runtime.engine_file import EngineKey, EngineRefused, read_engine, write_engine
from app.runtime.nets import Input
from app.runtime.precision import Precision
from app.runtime.tensorrt_build import Handle, library_of, logger_of

_TYPES = {
    "FLOAT": torch.float32,
    "HALF": torch.float16,
    "BF16": torch.bfloat16,
    "INT8": torch.int8,
    "INT32": torch.int32,
    "INT64": torch.int64,
    "UINT8": torch.uint8,
    "BOOL": torch.bool,
}


class TensorRtEngine:
    """Runs a serialized engine.

    Args:
        trt: `tensorrt` or `tensorrt_rtx`, of the version that built the plan.
        plan: of `tensorrt_build.build` or `load_or_build`.
        buckets: that it was built for, in the order of its profiles.
        device: a CUDA device.
        streams: number of lanes: runs that may be under way at once.
        precision: that it was built in, for the model card.

    Raises:
        EngineRefused: TensorRT does not take the plan, on this GPU or in this version.
    """

    backend = "tensorrt"

    def __init__(
        self,
        trt: ModuleType,
        plan: bytes,
        buckets: Sequence[int],
        device: str = "cuda",
        streams: int = 1,
        precision: Precision = "fp16",
    ) -> None:
        self.precision: str = precision
        self.device = torch.device(device)
        self._buckets = tuple(buckets)
        logger = logger_of(trt)
        # The runtime must outlive its engine, and the logger both.
        self._kept = logger, trt.Runtime(logger)
        engine = self._kept[1].deserialize_cuda_engine(plan)
        if engine is None:
            raise EngineRefused(f"{library_of(trt)} refuses the engine: {' '.join(logger.said)}")
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        inputs = [name for name in names if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT]
        outputs = [name for name in names if name not in inputs]
        if len(outputs) != 1:
            raise EngineRefused(f"The engine has {len(outputs)} outputs, not one.")
        self._free: queue.SimpleQueue[_Lane] = queue.SimpleQueue()
        for _ in range(streams):
            self._free.put(_Lane(engine, inputs, outputs[0], self.device))

    def run(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return the net's output for a batch, owned by the caller, on the CPU.

        Args:
            inputs: in the order of the net's, on the CPU or on `device`.
        """
        if not len(inputs[0]):
            raise ValueError("an engine runs at least one frame")
        lane = self._free.get()
        try:
            parts = [
                self._run(lane, [tensor[part] for tensor in inputs])
                for part in cut(len(inputs[0]), max(self._buckets))
            ]
        finally:
            self._free.put(lane)
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def replay(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return the output for a full bucket on the device, and leave it there; for timing.

        Work is queued on the current stream; the output is overwritten by the next run.
        """
        lane, bucket = self._free.get(), len(inputs[0])
        try:
            return lane.slot(self._buckets.index(bucket), bucket).replay(inputs)
        finally:
            self._free.put(lane)

    def warm_up(self) -> None:
        """Run every bucket of every lane once, so that no caller waits for a graph's capture."""
        lanes = [self._free.get() for _ in range(self._free.qsize())]
        for lane in lanes:
            for index, bucket in enumerate(self._buckets):
                lane.slot(index, bucket)
            self._free.put(lane)

    def _run(self, lane: "_Lane", inputs: Sequence[torch.Tensor]) -> torch.Tensor:
        bucket = bucket_of(len(inputs[0]), self._buckets)
        return lane.slot(self._buckets.index(bucket), bucket).run(inputs)


class _Lane:
    """A stream, and a slot for every bucket that has been asked for."""

    def __init__(
        self, engine: Handle, inputs: Sequence[str], output: str, device: torch.device
    ) -> None:
        self._engine, self._inputs, self._output = engine, inputs, output
        self._device = device
        self._stream = _stream(device)
        self._slots: dict[int, _Slot] = {}

    def slot(self, index: int, bucket: int) -> "_Slot":
        """Return the slot of a bucket, made ready on the first call."""
        if index not in self._slots:
            self._slots[index] = self._ready(index, bucket)
        return self._slots[index]

    def _ready(self, index: int, bucket: int) -> "_Slot":
        engine, context = self._engine, self._engine.create_execution_context()
        profiles = engine.num_optimization_profiles
        handle = self._stream.cuda_stream if self._stream else 0
        with torch.cuda.stream(self._stream):
            context.set_optimization_profile_async(index if profiles > 1 else 0, handle)
            buffers = []
            for name in (*self._inputs, self._output):
                if name != self._output:
                    rest = tuple(engine.get_tensor_shape(name))[1:]
                    context.set_input_shape(name, (bucket, *rest))
                shape = tuple(context.get_tensor_shape(name))
                kind = _TYPES[engine.get_tensor_dtype(name).name]
                buffer = torch.zeros(shape, dtype=kind, device=self._device)
                context.set_tensor_address(name, buffer.data_ptr())
                buffers.append(buffer)
        return _Slot(context, buffers[:-1], buffers[-1], self._stream)


def _stream(device: torch.device) -> torch.cuda.Stream | None:
    """Return a stream of a CUDA device; None of any other, where tests compute."""
    return torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]


class _Slot:
    """One context with buffers of its own, at one batch size, captured as a CUDA graph.

    Args:
        context: its shapes and addresses are set.
        inputs: on the device, full batches.
        output: likewise.
        stream: None off CUDA.
    """

    def __init__(
        self,
        context: Handle,
        inputs: Sequence[torch.Tensor],
        output: torch.Tensor,
        stream: torch.cuda.Stream | None,
    ) -> None:
        self._context, self._inputs, self._output = context, inputs, output
        self._stream = stream
        self._launch: Callable[[], None] = self._enqueue
        if stream is None:
            self._host = torch.empty_like(output)
            return
        self._host = torch.empty(output.shape, dtype=output.dtype, pin_memory=True)
        # TensorRT may allocate on the first run, which a capture would forbid.
        self._enqueue()
        stream.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            self._enqueue()
        self._launch = graph.replay

    def run(self, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return the output for as many frames as come in, on the CPU."""
        frames = len(inputs[0])
        with torch.cuda.stream(self._stream):
            for buffer, given in zip(self._inputs, inputs, strict=True):
                buffer[:frames].copy_(given, non_blocking=True)
                # The last frame again, whose values are ones that the net is used to.
                buffer[frames:] = given[-1:].to(buffer.device, non_blocking=True)
            self._launch()
            self._host[:frames].copy_(self._output[:frames], non_blocking=True)
        if self._stream is not None:
            self._stream.synchronize()
        return self._host[:frames].clone()

    def replay(self, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return the output of a full batch where it is written."""
        for buffer, given in zip(self._inputs, inputs, strict=True):
            buffer.copy_(given, non_blocking=True)
        self._launch()
        return self._output

    def _enqueue(self) -> None:
        handle = self._stream.cuda_stream if self._stream else 0
        if not self._context.execute_async_v3(handle):
            raise RuntimeError("TensorRT could not run the engine.")


def load_or_build(folder: Path, key: EngineKey, make: Callable[[], bytes]) -> bytes:
    """Return the engine of a key out of a cache folder, built and kept there if it is not.

    A file that is damaged or of another key is built anew.

    Args:
        folder: of engine files; made if absent.
        key: what the engine must have been built for.
        make: builds it.
    """
    path = folder / key.file_name()
    try:
        return read_engine(path, key)
    except (OSError, EngineRefused):
        plan = make()
        write_engine(path, key, plan)
        return plan


def described(inputs: Sequence[Input]) -> tuple[str, ...]:
    """Return a net's inputs as an engine's key has them."""
    return tuple(f"{each.name} {each.shape} {each.dtype}" for each in inputs)


def gpu_of(device: str = "cuda") -> str:
    """Return name and compute capability of a GPU, as an engine's key has them."""
    major, minor = torch.cuda.get_device_capability(device)
    return f"{torch.cuda.get_device_name(device)} {major}.{minor}"
