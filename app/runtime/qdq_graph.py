"""Explicit Q/DQ in an ONNX graph: weights stored as INT8, inputs of layers quantised and back.

For GPUs: TensorRT fuses both into INT8 kernels. ONNX Runtime reads the same file, which is how
tests judge it without a GPU. OpenVINO reads it badly (Wav2Lip: 8.4 dB, where NNCF's own
quantisation of the float32 graph gives 30): on a CPU, `int8.py` is the way.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import nn

from app.runtime.quantisation import LEVELS, LayerScales, Quantisation

if TYPE_CHECKING:
    import onnx

_OPERATIONS = {"Conv", "ConvTranspose", "Gemm", "MatMul"}


class _Place(NamedTuple):
    """A node that computes a layer: which, and the axis of its weights' output channels."""

    node: "onnx.NodeProto"
    scales: LayerScales
    axis: int


def quantised_graph(
    model: "onnx.ModelProto", net: nn.Module, quantisation: Quantisation
) -> "onnx.ModelProto":
    """Return a copy of an exported graph with the layers of a quantisation in INT8.

    Args:
        model: of `net`, exported in float32 or float16.
        net: float32, whose layers the quantisation names.
        quantisation: of `quantise`.

    Raises:
        ValueError: a layer is not in the graph.
    """
    import onnx

    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    weights = {each.name: each for each in graph.initializer}
    places = list(_places(graph, weights, net, quantisation))
    if missing := set(quantisation.layers) - {name for name, _ in places}:
        raise ValueError(f"the graph lacks the layers {', '.join(sorted(missing))}")
    inserted = _Inserted(graph)
    for _, place in places:
        inserted.add(place, weights[place.node.input[1]])
    inserted.finish()
    onnx.checker.check_model(result)
    return result


def _places(
    graph: "onnx.GraphProto",
    weights: Mapping[str, "onnx.TensorProto"],
    net: nn.Module,
    quantisation: Quantisation,
) -> Iterator[tuple[str, _Place]]:
    """Yield the nodes whose weights are those of a layer, told by their values.

    Names do not tell: the exporter transposes the matrices of linear layers under new ones.
    """
    from onnx import numpy_helper

    types = {numpy_helper.to_array(each).dtype for each in weights.values()}
    known: dict[bytes, tuple[str, LayerScales, int]] = {}
    for name, scales in quantisation.layers.items():
        layer = net.get_submodule(name)
        axis = 1 if isinstance(layer, nn.ConvTranspose2d) else 0
        weight = layer.get_parameter("weight").detach().cpu().numpy()
        for kind in types & {np.dtype(np.float32), np.dtype(np.float16)}:
            known[_digest(weight.astype(kind))] = name, scales, axis
            if weight.ndim == 2:
                known[_digest(weight.T.astype(kind))] = name, scales, 1
    for node in graph.node:
        if node.op_type in _OPERATIONS and node.input[1] in weights:
            found = known.get(_digest(numpy_helper.to_array(weights[node.input[1]])))
            if found:
                name, scales, axis = found
                yield name, _Place(node, scales, axis)


def _digest(weight: NDArray[Any]) -> bytes:
    head = f"{weight.shape}{weight.dtype}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(weight).tobytes()).digest()


class _Inserted:
    """Nodes and initializers on their way into a graph.

    Args:
        graph: onnx.GraphProto, changed in place.
    """

    def __init__(self, graph: "onnx.GraphProto") -> None:
        self._graph = graph
        self._before: dict[str, list[onnx.NodeProto]] = {}
        self._tensors: dict[str, onnx.TensorProto] = {}
        self._activations: dict[tuple[str, float], str] = {}
        self._gone: set[str] = set()

    def add(self, place: _Place, weight: "onnx.TensorProto") -> None:
        """Quantise one node's weight and input."""
        from onnx import helper, numpy_helper

        node, activation, scale = place.node, place.scales.activation, place.scales.weight
        values = numpy_helper.to_array(weight)
        name = f"{weight.name}_int8"
        if name not in self._tensors:
            # Rounded to the scale's own type first, so that what is stored fits what is read.
            levels = scale.astype(values.dtype)
            along = [1] * values.ndim
            along[place.axis] = -1
            stored = np.rint(values.astype(np.float32) / levels.astype(np.float32).reshape(along))
            self._keep(name, np.clip(stored, -LEVELS, LEVELS).astype(np.int8))
            self._keep(f"{name}_scale", levels)
            self._keep(f"{name}_zero", np.zeros(len(levels), np.int8))
        inputs = [name, f"{name}_scale", f"{name}_zero"]
        read = helper.make_node(
            "DequantizeLinear", inputs, [f"{name}_{node.name}"], axis=place.axis
        )
        self._before.setdefault(node.name, []).append(read)
        if activation is not None:
            node.input[0] = self._activation(node, activation, values.dtype)
        node.input[1] = read.output[0]
        self._gone.add(weight.name)

    def finish(self) -> None:
        """Put the nodes before those that read them, and drop weights that nobody reads."""
        nodes = [each for node in self._graph.node for each in (*self._new(node), node)]
        read = {name for node in nodes for name in node.input}
        kept = [
            each
            for each in self._graph.initializer
            if each.name not in self._gone or each.name in read
        ]
        del self._graph.node[:], self._graph.initializer[:]
        self._graph.node.extend(nodes)
        self._graph.initializer.extend([*kept, *self._tensors.values()])

    def _new(self, node: "onnx.NodeProto") -> "list[onnx.NodeProto]":
        return self._before.get(node.name, [])

    def _keep(self, name: str, values: NDArray[Any]) -> None:
        from onnx import numpy_helper

        self._tensors[name] = numpy_helper.from_array(values, name)

    def _activation(self, node: "onnx.NodeProto", scale: float, kind: np.dtype[Any]) -> str:
        """Return the name of a node's input, quantised and back; once for all that read it."""
        from onnx import helper

        source = node.input[0]
        if (source, scale) in self._activations:
            return self._activations[source, scale]
        name = f"{source}_{node.name}"
        self._keep(f"{name}_scale", np.array(scale, kind))
        self._keep(f"{name}_zero", np.array(0, np.int8))
        by = [f"{name}_scale", f"{name}_zero"]
        self._before.setdefault(node.name, []).extend(
            (
                helper.make_node("QuantizeLinear", [source, *by], [f"{name}_int8"]),
                helper.make_node("DequantizeLinear", [f"{name}_int8", *by], [f"{name}_back"]),
            )
        )
        self._activations[source, scale] = f"{name}_back"
        return f"{name}_back"
