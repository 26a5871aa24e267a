"""Plain PyTorch: the reference, and the answer on CPU."""

from collections.abc import Sequence

import torch
from torch import nn

from app.runtime.buckets import bucket_of, cut, padded


class EagerEngine:
    """Runs a net as it stands, in inference mode.

    Args:
        net: a module that maps batched tensors to one batched tensor.
        device: where it runs; inputs are moved there.
        buckets: batch sizes that the net is run at, the last frame repeated to fill one; with
            none, it is run at the size that comes. On a CPU padding costs its share: 5 frames
            run as 8 took 1.3 (viseme) to 1.7 (puppet) times as long, 2 run as 4 twice as long.
        chunk_frames: most frames of one run of the net, whatever the buckets; what exceeds them
            is split.
    """

    backend = "eager"
    precision = "fp32"

    def __init__(
        self,
        net: nn.Module,
        device: str = "cpu",
        buckets: Sequence[int] = (),
        chunk_frames: int | None = None,
    ) -> None:
        self.device = torch.device(device)
        self._net = net.eval().to(self.device)
        limits = [max(buckets)] if buckets else []
        limits += [chunk_frames] if chunk_frames else []
        self._buckets = tuple(buckets)
        self._largest = min(limits, default=None)

    def run(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return the net's output for a batch, on the CPU."""
        frames = len(inputs[0])
        if not frames:
            return self._run(inputs)
        parts = [
            self._run([tensor[part] for tensor in inputs])
            for part in cut(frames, self._largest or frames)
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _run(self, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return the net's output for one chunk."""
        frames = len(inputs[0])
        size = bucket_of(frames, self._buckets) if self._buckets and frames else frames
        with torch.inference_mode():
            output = self._net(*(padded(tensor, size).to(self.device) for tensor in inputs))
        assert isinstance(output, torch.Tensor)
        return output[:frames].cpu()
