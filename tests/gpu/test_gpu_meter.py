"""NVML tells of the GPU that torch computes on: `python -m pytest tests/gpu/test_gpu_meter.py`."""

import pytest
import torch

from app.observability.metrics import GPU_BUSY, GPU_MEMORY, GPU_MEMORY_SIZE
from app.serving.gpu_meter import GpuMeter

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA GPU here"),
]

TAKEN_BYTES = 1 << 30


def test_memory_that_torch_takes_is_seen() -> None:
    torch.cuda.init()  # type: ignore[no-untyped-call]
    meter = GpuMeter.find()
    assert meter is not None
    before = {metric: value for metric, value, _ in meter.read()}
    kept = torch.zeros(TAKEN_BYTES, dtype=torch.uint8, device="cuda")
    after = {metric: value for metric, value, _ in meter.read()}
    assert after[GPU_MEMORY] - before[GPU_MEMORY] >= TAKEN_BYTES
    # NVML counts what the driver keeps for itself, too.
    torch_bytes = torch.cuda.get_device_properties(kept.device).total_memory
    assert after[GPU_MEMORY_SIZE] == pytest.approx(torch_bytes, rel=0.05)
    assert 0 <= after[GPU_BUSY] <= 1
