"""The net in half precision, captured once per bucket as a CUDA graph.

A replay costs one launch, whatever the number of steps inside. Conversions to and from the caller's
types are part of the graph, so that bytes travel.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from app.runtime.buckets import BUCKETS, bucket_of, cut

WARM_UP_RUNS = 2
"""Before a capture: libraries choose their kernels and Triton compiles in the first."""


@dataclass(frozen=True, slots=True)
class Captured:
    """A graph of one batch size.

    Attributes:
        graph: replays it.
        inputs: where it reads, on the device.
        output: where it writes.
    """

    graph: torch.cuda.CUDAGraph
    inputs: tuple[Tensor, ...]
    output: Tensor


class CompiledEngine:
    """Replays graphs; made and warm once it is constructed.

    Not for several threads at a time: the graphs share their memory.

    Args:
        net: a module that maps batched tensors to one batched tensor, as `fast.make` returns it;
            moved to the device.
        example: inputs for one frame or more, of the caller's types, all of the same batch.
        device: of torch, CUDA.
        precision: of the net, for the model card.
        buckets: batch sizes to capture.
    """

    backend = "compiled"

    def __init__(
        self,
        net: nn.Module,
        example: Sequence[Tensor],
        device: str = "cuda",
        precision: str = "fp16",
        buckets: Sequence[int] = BUCKETS,
    ) -> None:
        self.device = torch.device(device)
        self.precision = precision
        self._net = net.eval().to(self.device)
        self._work = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
        self._copies = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
        self._pool = torch.cuda.graph_pool_handle()
        # The largest first: the smaller ones fit in its memory.
        self._graphs = {
            size: self._capture(example, size) for size in sorted(set(buckets), reverse=True)
        }

    def run(self, *inputs: Tensor) -> Tensor:
        """Return the net's output for a batch, in pinned memory that is the caller's."""
        frames, largest = len(inputs[0]), max(self._graphs)
        shape = next(iter(self._graphs.values())).output.shape[1:]
        kind = next(iter(self._graphs.values())).output.dtype
        answer = torch.empty((frames, *shape), dtype=kind, pin_memory=True)
        self._work.wait_stream(torch.cuda.current_stream(self.device))
        with torch.inference_mode():
            for part in cut(frames, largest):
                done = self._replay([tensor[part] for tensor in inputs])
                self._copies.wait_stream(self._work)
                with torch.cuda.stream(self._copies):
                    answer[part].copy_(done, non_blocking=True)
                    done.record_stream(self._copies)
        self._copies.synchronize()
        return answer

    def replay(self, *inputs: Tensor) -> Tensor:
        """Return the output for a batch that is on the device, and leave it there; for timing.

        Work is queued on the current stream; the output is overwritten by the next run.
        """
        captured = self._graphs[len(inputs[0])]
        for to, tensor in zip(captured.inputs, inputs, strict=True):
            to.copy_(tensor, non_blocking=True)
        captured.graph.replay()
        return captured.output

    def _replay(self, inputs: Sequence[Tensor]) -> Tensor:
        """Queue one chunk and return a copy of its output, on the device."""
        frames = len(inputs[0])
        captured = self._graphs[bucket_of(frames, tuple(self._graphs))]
        with torch.cuda.stream(self._work):
            # Frames beyond are those of an earlier run: frames do not see each other.
            for to, tensor in zip(captured.inputs, inputs, strict=True):
                here = tensor if tensor.is_cuda else tensor.pin_memory()
                to[:frames].copy_(here, non_blocking=True)
                if here.is_cuda:
                    here.record_stream(self._work)
            captured.graph.replay()
            return captured.output[:frames].clone()

    @torch.inference_mode()
    def _capture(self, example: Sequence[Tensor], size: int) -> Captured:
        """Return the graph of a batch size, its inputs filled by repeating the example."""
        torch.cuda.synchronize(self.device)
        inputs = tuple(
            tensor[:1].expand(size, *tensor.shape[1:]).to(self.device).contiguous()
            for tensor in example
        )
        tuning = torch.backends.cudnn.benchmark
        torch.backends.cudnn.benchmark = True
        try:
            with torch.cuda.stream(self._work):
                for _ in range(WARM_UP_RUNS):
                    self._answer(inputs)
            torch.cuda.synchronize(self.device)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=self._pool, stream=self._work):
                output = self._answer(inputs)
        finally:
            torch.backends.cudnn.benchmark = tuning
        return Captured(graph, inputs, output)

    def _answer(self, inputs: Sequence[Tensor]) -> Tensor:
        output: Tensor = self._net(*inputs)
        output = output.float() if output.is_floating_point() else output
        return output.contiguous()
