"""Exported graphs answer what the nets do, through ONNX Runtime on the CPU."""

from pathlib import Path

import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from app.models.liveportrait.warping import gather_volume, warp_volume
from app.runtime.accuracy import snr_db
from app.runtime.nets import NETS, Input
from app.runtime.onnx_graph import export, without_instance_norms
from tests.unit.runtime.conftest import EXPORTED, GraphFile, eager_output

FP32_DB = {"animator": 60.0, "wav2lip": 60.0}
"""Of bytes, a few of which are rounded the other way; else `NUMBERS_DB`."""

NUMBERS_DB = 100.0
FP16_DB = 40.0


def answered(path: Path, inputs: tuple[Tensor, ...]) -> Tensor:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]
    given = {name: each.numpy() for name, each in zip(names, inputs, strict=True)}
    return torch.from_numpy(session.run(None, given)[0])


@pytest.mark.parametrize("name", EXPORTED)
def test_a_graph_answers_what_its_net_does(name: str, graph_file: GraphFile) -> None:
    answer = answered(graph_file(name, False), NETS[name].samples(1))
    reached = snr_db(answer, eager_output(name))
    print(f"{name}: {reached:.1f} dB")
    assert reached >= FP32_DB.get(name, NUMBERS_DB)


@pytest.mark.parametrize("name", EXPORTED)
def test_a_float16_graph_keeps_types_and_stays_close(name: str, graph_file: GraphFile) -> None:
    answer = answered(graph_file(name, True), NETS[name].samples(1))
    assert answer.dtype == eager_output(name).dtype
    reached = snr_db(answer, eager_output(name))
    print(f"{name}: {reached:.1f} dB")
    assert reached >= FP16_DB


@pytest.mark.parametrize("name", ["wav2lip", "motion", "stitching"])
def test_the_batch_is_free(name: str, graph_file: GraphFile) -> None:
    inputs = NETS[name].samples(3)
    answer = answered(graph_file(name, False), inputs)
    alone = answered(graph_file(name, False), tuple(each[2:] for each in inputs))
    assert len(answer) == 3
    assert snr_db(answer[2:], alone) >= FP32_DB.get(name, NUMBERS_DB)


@pytest.mark.parametrize("fp16_mode", [False, True])
@pytest.mark.parametrize("name", EXPORTED)
def test_graphs_use_standard_operations_only(
    name: str, fp16_mode: bool, graph_file: GraphFile
) -> None:
    model = onnx.load(graph_file(name, fp16_mode))
    assert {each.domain for each in model.opset_import} == {""}
    assert {each.version for each in model.opset_import} == {20}
    assert not model.functions
    # Volumes are sampled by look-ups: only RTX has the operation for them.
    assert "GridSample" not in {node.op_type for node in model.graph.node}


def test_graphs_say_nothing_of_the_machine_that_made_them(graph_file: GraphFile) -> None:
    content = graph_file("stitching", False).read_bytes()
    assert b".py" not in content
    assert str(Path(__file__).parents[3]).encode() not in content


def test_looked_up_volumes_are_the_sampled_ones() -> None:
    torch.manual_seed(0)
    volume = torch.randn(2, 5, 4, 6, 7)
    places = torch.rand(2, 4, 6, 7, 3) * 3 - 1.5
    places[0, 0, 0, 0], places[0, 0, 0, 1] = 1e6, -1e6
    torch.testing.assert_close(gather_volume(volume, places), warp_volume(volume, places))


class Normal(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return nn.functional.instance_norm(image) * 2


@pytest.mark.parametrize("kind", [torch.float32, torch.float16])
def test_instance_norms_spelled_out_are_the_same(kind: torch.dtype, tmp_path: Path) -> None:
    image = Input("image", (4, 16, 24), kind)
    # Squares of such numbers do not fit float16.
    given = (torch.randn(2, 4, 16, 24) * 300 + 1000).to(kind)
    plain = without_instance_norms(export(Normal(), [image], opset=18))
    assert "InstanceNormalization" not in {node.op_type for node in plain.graph.node}
    onnx.save(plain, tmp_path / "plain.onnx")
    answer = answered(tmp_path / "plain.onnx", (given,))
    assert answer.dtype == kind
    torch.testing.assert_close(answer.float(), Normal()(given.float()), rtol=2e-3, atol=2e-3)
