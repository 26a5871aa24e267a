"""Full-size nets with seeded weights and their graphs, made once: exporting takes seconds."""

import importlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

from app.errors import WeightsError
from app.footage import footage
from app.runtime import choice
from app.runtime.choice import best_engine
from app.runtime.config import RuntimeConfig
from app.runtime.nets import NETS
from app.runtime.onnx_graph import export, exportable, net_for
from app.runtime.order import Order
from app.runtime.quantisation import LEVELS, LayerScales, Quantisation, levels_of
from app.weights.seeded import seeded

GraphFile = Callable[[str, bool], Path]
"""By name of the net, and whether it is in float16."""

EXPORTED = ("appearance", "motion", "animator", "wav2lip", "stitching", "eyes", "lips")
"""Warping and decoder are halves of the animator; embedded nets run eagerly."""


@cache
def seeded_net(name: str) -> nn.Module:
    return exportable(NETS[name].net(seeded))


@cache
def eager_output(name: str) -> Tensor:
    """Return what the net answers to `NETS[name].samples(1)`."""
    with torch.inference_mode():
        output: Tensor = seeded_net(name)(*NETS[name].samples(1))
    return output


@pytest.fixture(scope="session")
def graph_file(tmp_path_factory: pytest.TempPathFactory) -> GraphFile:
    folder = tmp_path_factory.mktemp("graphs")

    @cache
    def made(name: str, fp16_mode: bool) -> Path:
        spec, path = NETS[name], folder / f"{name}-{fp16_mode}.onnx"
        export(net_for(spec, seeded_net(name), fp16_mode), spec.inputs(), path)
        return path

    return made


@pytest.fixture(scope="session")
def rtx() -> ModuleType:
    """Return TensorRT-RTX, which builds engines where there is no GPU."""
    return importlib.import_module("tensorrt_rtx")


def largest_scales(name: str) -> Quantisation:
    """Return scales by the largest values of one made-up frame, for every layer.

    For what needs a quantised graph of a large net and not its accuracy: it takes one run.
    """
    net, inputs, layers = seeded_net(name), NETS[name].samples(1), {}

    def note(of: str, axis: int) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def hook(layer: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
            weight = layer.get_parameter("weight").movedim(axis, 0).flatten(1).abs().amax(1)
            seen = float(given[0].abs().max()) / LEVELS
            layers[of] = LayerScales(seen, levels_of(weight.numpy()), 0.0)

        return hook

    handles = [
        layer.register_forward_hook(note(of, int(isinstance(layer, nn.ConvTranspose2d))))
        for of, layer in net.named_modules()
        if isinstance(layer, nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.Linear)
    ]
    with torch.inference_mode():
        net(*inputs)
    for handle in handles:
        handle.remove()
    return Quantisation(layers, 0.0)


@pytest.fixture(scope="session")
def wav2lip_clip() -> tuple[Tensor, ...]:
    """Return 16 frames of the demo, spread over it, as Wav2Lip is given them."""
    try:
        return footage("wav2lip", seeded)
    except WeightsError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def built(wav2lip_clip: tuple[Tensor, ...], tmp_path_factory: pytest.TempPathFactory) -> Order:
    """Return what the CPU's INT8 of Wav2Lip was built for; timing is left out."""
    config = RuntimeConfig(cache=tmp_path_factory.mktemp("engines"))
    net = NETS["wav2lip"].net(seeded)
    taken = {"eager": 2.0, "int8": 1.0}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choice, "_ms", lambda engine, order, size: taken[engine.backend])
        best_engine("wav2lip", net, "cpu", config, frames=wav2lip_clip)
    return Order(NETS["wav2lip"], net, "cpu", config, wav2lip_clip)
