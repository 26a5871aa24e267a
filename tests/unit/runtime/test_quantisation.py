"""INT8 by Model Optimizer: what it costs in accuracy and what it saves, with seeded weights."""

from collections import Counter

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from app.runtime.accuracy import snr_db
from app.runtime.nets import NETS, Input
from app.runtime.onnx_graph import export
from app.runtime.qdq_graph import quantised_graph
from app.runtime.quantisation import Quantisation, quantise
from tests.unit.runtime.conftest import GraphFile, seeded_net
from tests.unit.runtime.test_onnx_graph import answered

FLOOR_DB = 20.0
CLIP = 8
"""Frames that are calibrated on; as many others are judged."""

Batch = tuple[Tensor, ...]


class Small(nn.Module):
    """A plain, a transposed and a matrix layer; the plain one's inputs have an outlier."""

    def __init__(self) -> None:
        super().__init__()
        self.plain = nn.Conv2d(3, 4, 3, padding=1)
        self.transposed = nn.ConvTranspose2d(4, 6, 2, stride=2)
        self.matrix = nn.Linear(6, 5)

    def forward(self, image: Tensor) -> Tensor:
        y = self.transposed(self.plain(image).relu())
        output: Tensor = self.matrix(y.permute(0, 2, 3, 1))
        return output


def small() -> tuple[Small, list[Batch]]:
    torch.manual_seed(0)
    image = torch.randn(2, 3, 8, 8)
    image[0, 0, 0, 0] = 150.0
    return Small().eval().requires_grad_(False), [(image,)]


def test_weights_are_stored_in_int8_and_read_as_they_were() -> None:
    net, frames = small()
    chosen = quantise(net, frames, goal_db=0)
    assert set(chosen.layers) == set(chosen.computed()) == {"plain", "transposed", "matrix"}
    model = quantised_graph(exported(net), net, chosen)
    kept = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    assert not {name for name, values in kept.items() if values.dtype == np.float32} & {
        "plain.weight",
        "transposed.weight",
        "matrix.weight",
    }
    stored, scale = kept["transposed.weight_int8"], kept["transposed.weight_int8_scale"]
    assert stored.shape == (4, 6, 2, 2)
    np.testing.assert_allclose(
        stored * scale[:, None, None], net.transposed.weight.numpy(), atol=float(scale.max()) / 2
    )


def exported(net: nn.Module) -> onnx.ModelProto:
    return export(net, [Input("image", (3, 8, 8))])


def test_the_noisiest_layer_is_left_to_compute_as_it_did() -> None:
    net, frames = small()
    said: list[str] = []
    chosen = quantise(net, frames, goal_db=30, progress=said.append)
    assert next(iter(chosen.layers)) == "plain"
    assert chosen.layers["plain"].activation is None
    assert chosen.output_db >= 30
    assert any("of 3 layers in INT8" in each for each in said)
    model = quantised_graph(exported(net), net, chosen)
    operations = Counter(node.op_type for node in model.graph.node)
    assert operations["QuantizeLinear"] == len(chosen.computed()) in (1, 2)
    assert operations["DequantizeLinear"] == 3 + len(chosen.computed())


def test_no_goal_is_too_high_to_end() -> None:
    net, frames = small()
    assert quantise(net, frames, goal_db=200).computed() == []


def test_a_graph_of_another_net_is_refused() -> None:
    net, frames = small()
    chosen = quantise(net, frames, goal_db=0)
    torch.manual_seed(1)
    with pytest.raises(ValueError, match="lacks the layers matrix, plain, transposed"):
        quantised_graph(exported(Small().eval().requires_grad_(False)), net, chosen)


@pytest.fixture(scope="session")
def wav2lip_int8(wav2lip_clip: Batch) -> Quantisation:
    frames = [tuple(each[:CLIP] for each in wav2lip_clip)]
    return quantise(seeded_net("wav2lip"), frames)


def test_wav2lip_on_real_frames(
    wav2lip_clip: Batch, wav2lip_int8: Quantisation, graph_file: GraphFile
) -> None:
    net, unseen = seeded_net("wav2lip"), tuple(each[CLIP:] for each in wav2lip_clip)
    with torch.inference_mode():
        expected = net(*unseen)
    graph = quantised_graph(onnx.load(graph_file("wav2lip", True)), net, wav2lip_int8)
    path = graph_file("wav2lip", True).with_name("wav2lip-int8.onnx")
    onnx.save(graph, path)
    reached = snr_db(answered(path, unseen), expected)
    share = path.stat().st_size / graph_file("wav2lip", False).stat().st_size
    print(f"{reached:.1f} dB, {share:.1%}, {len(wav2lip_int8.computed())} layers in INT8")
    assert reached >= FLOOR_DB
    assert share <= 0.26


def test_motion(graph_file: GraphFile) -> None:
    net, inputs = seeded_net("motion"), NETS["motion"].samples(1)
    chosen = quantise(net, [inputs])
    graph = quantised_graph(onnx.load(graph_file("motion", False)), net, chosen)
    path = graph_file("motion", False).with_name("motion-int8.onnx")
    onnx.save(graph, path)
    with torch.inference_mode():
        reached = snr_db(answered(path, inputs), net(*inputs))
    share = path.stat().st_size / graph_file("motion", False).stat().st_size
    print(f"{reached:.1f} dB, {share:.1%}, {len(chosen.computed())} layers in INT8")
    assert reached >= FLOOR_DB
    assert share <= 0.27
