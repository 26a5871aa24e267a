"""Capture, replay and lanes on a GPU, with a TensorRT whose kernel is torch's: doubling.

What a real TensorRT needs of the same calls is in `app/runtime/tensorrt.py`, in the same order.
"""

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
import torch

from app.runtime.tensorrt import TensorRtEngine
from tests.unit.runtime import fake_trt

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA GPU here"),
]

BUCKETS = (1, 4, 8)


class CudaContext(fake_trt.Context):
    """Computes on the device, in the stream that it is given."""

    def execute_async_v3(self, stream: int) -> bool:
        self.runs += 1
        given = torch.cuda.ExternalStream(stream)  # type: ignore[no-untyped-call]
        with torch.cuda.stream(given):
            torch.mul(self._view("x"), 2, out=self._view("y"))
        return True

    def _view(self, name: str) -> torch.Tensor:
        layout = {"shape": (self._batch, 3), "typestr": "<f4", "version": 3}
        layout["data"] = (self._at[name], False)
        return torch.as_tensor(SimpleNamespace(__cuda_array_interface__=layout), device="cuda")


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> TensorRtEngine:
    monkeypatch.setattr(fake_trt, "Context", CudaContext)
    return TensorRtEngine(fake_trt.fake("10.0", strong=True), b"plan", BUCKETS, "cuda", streams=2)


def test_frames_come_back_from_captured_graphs(engine: TensorRtEngine) -> None:
    engine.warm_up()
    for frames in (1, 2, 4, 5, 8, 19):
        for device in ("cpu", "cuda"):
            x = torch.randn(frames, 3)
            answer = engine.run(x.to(device))
            assert answer.device.type == "cpu"
            assert torch.equal(answer, 2 * x)


def test_lanes_do_not_mix(engine: TensorRtEngine) -> None:
    batches = [torch.full((1 + index % 8, 3), float(index)) for index in range(200)]
    with ThreadPoolExecutor(4) as pool:
        for given, answer in zip(batches, pool.map(engine.run, batches), strict=True):
            assert torch.equal(answer, 2 * given)
