"""What can be tried for a net, and that what was built is kept: with packages that only say so."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

from app.errors import NotReady
from app.runtime import makers
from app.runtime.bench import not_here
from app.runtime.choice import best_engine
from app.runtime.config import Backend, RuntimeConfig
from app.runtime.engine_file import write_engine
from app.runtime.makers import int8_file, makers_of, missing, offered, peaks_file, there
from app.runtime.nets import NETS
from app.runtime.order import Order
from app.weights.seeded import seeded
from tests.unit.runtime.fake_trt import fake
from tests.unit.runtime.test_torch2trt import FakeTRTModule, fake_torch2trt

LIBRARY = "tensorrt 10.0"


@pytest.fixture
def trt(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = fake("10.0", strong=True)
    monkeypatch.setitem(sys.modules, "tensorrt", module)
    monkeypatch.setattr(makers, "_serialized", lambda *given: b"graph")
    return module


def order(folder: Path, name: str = "stitching", **settings: object) -> Order:
    config = RuntimeConfig.model_validate({"cache": folder, **settings})
    return Order(NETS[name], NETS[name].net(seeded), "cpu", config)


@pytest.mark.parametrize(
    ("name", "device", "backends"),
    [
        ("wav2lip", "cpu", ("int8",)),
        ("animator", "cpu", ()),
        ("puppet", "cuda", ()),
        ("motion", "cuda", ("compiled", "tensorrt", "torch2trt")),
        ("wav2lip", "cuda:1", ("compiled", "tensorrt", "torch2trt", "int8")),
        ("animator", "cuda", ("compiled", "tensorrt", "torch2trt", "int8", "fp8")),
    ],
)
def test_backends_of_nets(name: str, device: str, backends: tuple[Backend, ...]) -> None:
    assert offered(NETS[name], device) == backends


@pytest.mark.usefixtures("trt")
def test_a_plan_is_built_once_and_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = makers.tensorrt_engine(order(tmp_path))
    x = torch.arange(15.0).reshape(5, 3)
    assert torch.equal(first.run(x), 2 * x)
    assert (first.backend, first.precision) == ("tensorrt", "fp16")
    monkeypatch.setattr(makers, "_serialized", lambda *given: b"never built again")
    assert torch.equal(makers.tensorrt_engine(order(tmp_path)).run(x), 2 * x)


@pytest.mark.usefixtures("trt")
def test_a_plan_that_is_refused_is_built_anew(tmp_path: Path) -> None:
    asked = order(tmp_path)
    key = asked.key("fp16", LIBRARY)
    write_engine(tmp_path / key.file_name(), key, b"of another driver")
    x = torch.ones(1, 3)
    assert torch.equal(makers.tensorrt_engine(asked).run(x), 2 * x)


def test_the_settings_reach_tensorrt(tmp_path: Path, trt: ModuleType) -> None:
    asked = order(tmp_path, fp16_mode=False, max_batch_size=4, max_workspace_size=1 << 20)
    assert makers.tensorrt_engine(asked).precision == "fp32"
    calls = vars(trt)["calls"]
    assert calls["workspace"] == 1 << 20
    assert [shapes[1][0] for shapes in calls["profiles"]] == [1, 4]
    assert missing("compiled", asked) == "It is in float16, and fp16_mode is off."


@pytest.mark.usefixtures("trt")
def test_int8_on_a_gpu_says_so(tmp_path: Path) -> None:
    engine = makers.int8_on_gpu(order(tmp_path))
    assert (engine.backend, engine.precision) == ("tensorrt", "int8")


class Shown(FakeTRTModule):
    """Gives pictures, as Wav2Lip does."""

    def forward(self, *inputs: Tensor) -> Tensor:
        super().forward(*inputs)
        assert [each.shape[1:] for each in inputs] == [(1, 80, 16), (6, 96, 96)]
        return inputs[1][:, 3:]


@pytest.mark.usefixtures("trt")
def test_torch2trt_converts_wav2lip_without_its_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = ModuleType("torch2trt")
    converted: list[nn.Module] = []

    def convert(module: nn.Module, inputs: list[Tensor], **asked: object) -> nn.Module:
        converted.append(module)
        made = fake_torch2trt(module, inputs, **asked)  # type: ignore[arg-type]
        return Shown(made.engine, ["input_0", "input_1"], ["output_0"])

    vars(package).update(torch2trt=convert, TRTModule=Shown)
    monkeypatch.setitem(sys.modules, "torch2trt", package)
    asked = order(tmp_path, "wav2lip")
    faces, mel = asked.batch(3)
    for _ in range(2):
        engine = makers.torch2trt_engine(asked)
        # Bytes through float32 and back lose a level at most.
        assert (engine.run(faces, mel).int() - faces.int()).abs().max() <= 1
    assert len(converted) == 1
    assert (engine.backend, engine.precision) == ("torch2trt", "fp16")


def test_what_is_absent_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch2trt", None)
    asked = replace(order(tmp_path), device="cuda")
    assert not there("torch2trt")
    assert not_here(asked, "torch2trt") == "not run here: The package torch2trt is not installed."
    assert "torch2trt" not in makers_of(asked)


def test_fp8_wants_a_hopper_and_frames_or_what_they_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = replace(order(tmp_path, "animator"), device="cuda")
    assert "Hopper" in missing("fp8", asked)
    monkeypatch.setattr(makers, "on_hopper", lambda device: True)
    monkeypatch.setattr("app.runtime.tensorrt.gpu_of", lambda device: "H100 9.0")
    assert "app.runtime build animator --device cuda" in missing("fp8", asked)
    peaks_file(asked).touch()
    assert missing("fp8", asked) == ""
    assert missing("fp8", replace(asked, frames=asked.spec.samples(2))) == ""


def test_int8_that_was_not_built_says_how(tmp_path: Path) -> None:
    asked = order(tmp_path, "wav2lip", backend="int8")
    with pytest.raises(NotReady) as refused:
        best_engine("wav2lip", asked.net, "cpu", asked.config)
    assert "app.runtime build wav2lip --device cpu" in refused.value.hint


@pytest.mark.parametrize("backend", ["auto", "compiled", "eager"])
def test_on_a_cpu_wav2lip_runs_eagerly_until_int8_is_built(backend: str, tmp_path: Path) -> None:
    asked = order(tmp_path, "wav2lip", backend=backend)
    engine = best_engine("wav2lip", asked.net, "cpu", asked.config).engine
    assert (engine.backend, engine.precision) == ("eager", "fp32")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("backend", ["auto", "int8"])
def test_on_a_cpu_int8_that_was_built_is_taken(built: Order, backend: str) -> None:
    config = built.config.model_copy(update={"backend": backend})
    chosen = best_engine("wav2lip", built.net, "cpu", config)
    assert chosen.from_cache
    assert (chosen.engine.backend, chosen.engine.precision) == ("int8", "int8")


def test_a_bound_that_int8_misses_keeps_it_out(built: Order) -> None:
    config = built.config.model_copy(update={"min_int8_snr_db": 60.0})
    assert best_engine("wav2lip", built.net, "cpu", config).engine.backend == "eager"
    with pytest.raises(NotReady, match="int8, which wav2lip does not run by"):
        best_engine("wav2lip", built.net, "cpu", config.model_copy(update={"backend": "int8"}))


def test_int8_without_openvino(built: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    assert int8_file(built).is_file()
    monkeypatch.setitem(sys.modules, "openvino", None)
    assert "digital-human[int8]" in missing("int8", built)


def test_frames_that_judge_are_not_calibrated_on(built: Order) -> None:
    assert built.frames is not None
    calibrated, judged = built.calibration()[0], built.batch(20)[0]
    assert len(judged) == 20
    assert torch.equal(judged[0], built.frames[0][1])
    assert not {tuple(each.flatten().tolist()) for each in judged} & {
        tuple(each.flatten().tolist()) for each in calibrated
    }


def test_serving_imports_no_package_of_engines(root: Path) -> None:
    heavy = ["openvino", "nncf", "modelopt", "tensorrt", "tensorrt_rtx", "torch2trt", "onnx"]
    code = f"import sys, app.serving.build; print(sorted(set({heavy}) & set(sys.modules)))"
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
    )
    assert told.stdout.splitlines()[-1] == "[]"
