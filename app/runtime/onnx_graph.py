"""Nets as ONNX graphs: dynamic batch, standard operations only, bytes at the very ends."""

import contextlib
import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from app.models.folding import folded
from app.models.liveportrait.spade import SpectralConv
from app.models.liveportrait.warping import WarpingNet, gather_volume
from app.runtime.nets import Input, NetSpec
from app.runtime.precision import Halved, halved

if TYPE_CHECKING:
    import onnx

OPSET = 20
"""The first that samples volumes and has GELU."""

OUTPUT = "output"


def exportable(net: nn.Module) -> nn.Module:
    """Return a folded copy of a net, of what converters and quantisers know.

    Args:
        net: of `NetSpec.net`.
    """
    result = folded(net)
    for name, module in list(result.named_modules()):
        if isinstance(module, WarpingNet):
            # No runtime but RTX samples volumes without a plugin; the look-ups run everywhere.
            module.warp = gather_volume
        elif isinstance(module, SpectralConv):
            parent, _, child = name.rpartition(".")
            setattr(result.get_submodule(parent), child, _plain(module))
    return result


def _plain(spectral: SpectralConv) -> nn.Conv2d:
    """Return a folded spectral convolution as what it is by now."""
    assert spectral.normalised
    conv = nn.Conv2d(
        spectral.in_channels,
        spectral.out_channels,
        (spectral.kernel_size[0], spectral.kernel_size[1]),
        padding=spectral.kernel_size[0] // 2,
        bias=spectral.bias is not None,
    )
    conv.weight, conv.bias = spectral.weight, spectral.bias
    return conv


def net_for(spec: NetSpec, net: nn.Module, fp16_mode: bool) -> nn.Module:
    """Return the net in the precision that is exported; with fp16 a copy.

    Args:
        spec: which modules stay in float32.
        net: of `exportable`.
        fp16_mode: whether the net computes in float16; its inputs and output keep their types.
    """
    return halved(net, spec.float32, spec.narrow) if fp16_mode else net


def export(
    net: nn.Module, inputs: Sequence[Input], path: Path | None = None, opset: int = OPSET
) -> "onnx.ModelProto":
    """Return a net's graph, checked by onnx.checker, and write it to a file.

    Its types are those of the net, so that a strongly typed engine computes as the net does. The
    batch is the first dimension, "batch", of every input and of the only output, "output".

    Args:
        net: in eval mode, without gradients; gives one tensor.
        inputs: their names, shapes and types.
        path: of the file, one for all; not written if absent.
        opset: of ONNX.
    """
    import onnx

    examples = tuple(torch.zeros((2, *each.shape), dtype=each.dtype) for each in inputs)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            net,
            examples,
            dynamo=True,
            verbose=False,
            opset_version=opset,
            input_names=[each.name for each in inputs],
            output_names=[OUTPUT],
            dynamic_shapes=_dynamic(net, len(inputs)),
        )
    assert program is not None
    model = program.model_proto
    _strip(model)
    onnx.checker.check_model(model)
    if path is not None:
        onnx.save(model, path)
    return model


def _strip(model: "onnx.ModelProto") -> None:
    """Take out what the exporter says of itself: stack traces, with the paths of this machine."""
    graph = model.graph
    del graph.value_info[:], graph.metadata_props[:], model.metadata_props[:]
    for each in (*graph.node, *graph.initializer, *graph.input, *graph.output):
        del each.metadata_props[:]
        each.doc_string = ""


def _dynamic(net: nn.Module, inputs: int) -> tuple[Any, ...]:
    """Return which dimensions are free; inputs behind *args are one parameter to the exporter."""
    free = tuple({0: torch.export.Dim("batch")} for _ in range(inputs))
    return (free,) if isinstance(net, Halved) else free


def without_instance_norms(model: "onnx.ModelProto") -> "onnx.ModelProto":
    """Return a copy of a graph whose instance normalisations are spelled out, in float32.

    For TensorRT 8, whose parser takes a plugin for them. Theirs are images with neither gain nor
    offset.

    Raises:
        ValueError: one has a gain or an offset.
    """
    import onnx

    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    constants = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.op_type != "InstanceNormalization":
            nodes.append(node)
            continue
        gain, offset = (constants[name] for name in node.input[1:])
        if (gain != 1).any() or (offset != 0).any():
            raise ValueError(f"{node.name} has a gain or an offset")
        epsilon = np.array(node.attribute[0].f, np.float32)
        graph.initializer.append(onnx.numpy_helper.from_array(epsilon, f"{node.name}_epsilon"))
        kind = onnx.helper.np_dtype_to_tensor_dtype(gain.dtype)
        nodes += _moments(node.input[0], node.output[0], node.name, kind)
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(result)
    return result


def _moments(source: str, output: str, name: str, kind: int) -> "list[onnx.NodeProto]":
    """Return the nodes of (x - mean) / sqrt(variance + epsilon) over an image, back in a type."""
    from onnx import TensorProto, helper

    steps: tuple[tuple[str, tuple[str, ...], str, dict[str, Any]], ...] = (
        ("Cast", (source,), "wide", {"to": TensorProto.FLOAT}),
        ("GlobalAveragePool", ("wide",), "mean", {}),
        ("Sub", ("wide", "mean"), "centred", {}),
        ("Mul", ("centred", "centred"), "squares", {}),
        ("GlobalAveragePool", ("squares",), "variance", {}),
        ("Add", ("variance", "epsilon"), "positive", {}),
        ("Sqrt", ("positive",), "deviation", {}),
        ("Div", ("centred", "deviation"), "normal", {}),
        ("Cast", ("normal",), output, {"to": kind}),
    )

    def named(each: str) -> str:
        return each if each in (source, output) else f"{name}_{each}"

    return [
        helper.make_node(
            operation, [named(each) for each in given], [named(made)], f"{name}_{made}", **to
        )
        for operation, given, made, to in steps
    ]
