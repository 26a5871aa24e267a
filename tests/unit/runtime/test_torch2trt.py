"""torch2trt is not on the package index: the adapter is held to its published signatures.

Source: NVIDIA-AI-IOT/torch2trt@4e820ae torch2trt/torch2trt.py and torch2trt/trt_module.py.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from app.runtime.torch2trt import Unconvertible, convert, loaded


class FakeTRTModule(nn.Module):
    """Keeps its engine in its state dict under the published keys, and doubles its input."""

    def __init__(
        self,
        engine: bytes | None = None,
        input_names: list[str] | None = None,
        output_names: list[str] | None = None,
        input_flattener: Any = None,  # noqa: ANN401
        output_flattener: Any = None,  # noqa: ANN401
    ) -> None:
        super().__init__()
        self.engine, self.input_names, self.output_names = engine, input_names, output_names
        self.sizes: list[int] = []
        self._register_state_dict_hook(FakeTRTModule._on_state_dict)  # type: ignore[no-untyped-call]

    def _on_state_dict(self, state: dict[str, Any], prefix: str, local_metadata: object) -> None:
        state[prefix + "engine"] = bytearray(self.engine or b"")
        state[prefix + "input_names"] = self.input_names
        state[prefix + "output_names"] = self.output_names
        state[prefix + "input_flattener"] = {"type": "list"}
        state[prefix + "output_flattener"] = {"type": "Tensor"}

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *rest: Any) -> None:  # noqa: ANN401
        self.engine = bytes(state[prefix + "engine"])
        self.input_names = state[prefix + "input_names"]
        self.output_names = state[prefix + "output_names"]

    def forward(self, *inputs: Tensor) -> Tensor:
        assert self.engine, "no engine"
        assert all(each.is_contiguous() for each in inputs)
        self.sizes.append(len(inputs[0]))
        return 2 * inputs[0]


def fake_torch2trt(
    module: nn.Module,
    inputs: Sequence[Tensor],
    input_names: list[str] | None = None,
    output_names: list[str] | None = None,
    log_level: int = 1,
    fp16_mode: bool = False,
    max_workspace_size: int = 1 << 25,
    strict_type_constraints: bool = False,
    keep_network: bool = True,
    int8_mode: bool = False,
    int8_calib_dataset: Any = None,  # noqa: ANN401
    int8_calib_algorithm: Any = None,  # noqa: ANN401
    use_onnx: bool = False,
    default_device_type: int = 0,
    dla_core: int = 0,
    gpu_fallback: bool = True,
    device_types: Any = None,  # noqa: ANN401
    min_shapes: Any = None,  # noqa: ANN401
    max_shapes: Any = None,  # noqa: ANN401
    opt_shapes: Any = None,  # noqa: ANN401
    onnx_opset: int | None = None,
    max_batch_size: int | None = None,
    avg_timing_iterations: int | None = None,
    **kwargs: Any,  # noqa: ANN401
) -> FakeTRTModule:
    if kwargs:
        raise AssertionError(f"not published: {kwargs}")
    output = module(*inputs)
    if isinstance(module, nn.GELU):
        # What a method without a converter looks like: its result was given no TensorRT tensor.
        output._trt  # noqa: B018
    asked = f"{fp16_mode} {max_workspace_size} {max_batch_size} {len(inputs[0])}"
    return FakeTRTModule(asked.encode(), ["input_0"], ["output_0"])


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("torch2trt")
    vars(module).update(torch2trt=fake_torch2trt, TRTModule=FakeTRTModule)
    monkeypatch.setitem(sys.modules, "torch2trt", module)
    return module


@pytest.mark.usefixtures("package")
def test_the_chapters_settings_reach_the_converter() -> None:
    engine = convert(nn.ReLU(), [torch.ones(1, 3)], "cpu", max_batch_size=8)
    state = engine._converted.state_dict()
    assert bytes(state["engine"]) == f"True {1 << 30} 8 1".encode()
    assert engine.backend == "torch2trt"


@pytest.mark.usefixtures("package")
def test_frames_come_back_at_bucket_sizes() -> None:
    engine = convert(nn.ReLU(), [torch.ones(1, 3)], "cpu", max_batch_size=8)
    x = torch.arange(33.0).reshape(11, 3)
    assert torch.equal(engine.run(x), 2 * x)
    assert engine._converted.sizes == [1, 8, 4]


@pytest.mark.usefixtures("package")
def test_an_engine_is_saved_and_loaded(tmp_path: Path) -> None:
    engine = convert(nn.ReLU(), [torch.ones(1, 3)], "cpu")
    engine.save(tmp_path / "relu.pth")
    again = loaded(tmp_path / "relu.pth", "cpu")
    x = torch.ones(2, 3)
    assert torch.equal(again.run(x), 2 * x)


@pytest.mark.usefixtures("package")
def test_what_it_cannot_convert_is_said() -> None:
    with pytest.raises(Unconvertible, match=r"cannot convert GELU: AttributeError.*tensorrt back"):
        convert(nn.GELU(), [torch.ones(1, 3)], "cpu")
    with pytest.raises(Unconvertible, match=r"no inputs of torch\.uint8"):
        convert(nn.ReLU(), [torch.ones(1, 3, dtype=torch.uint8)], "cpu")


def test_without_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "torch2trt", None)
    with pytest.raises(Unconvertible, match=r"github\.com/NVIDIA-AI-IOT/torch2trt"):
        convert(nn.ReLU(), [torch.ones(1, 3)], "cpu")
    with pytest.raises(Unconvertible, match="not installed"):
        loaded(tmp_path / "relu.pth", "cpu")
