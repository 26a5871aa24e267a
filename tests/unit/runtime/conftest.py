"""Full-size nets with seeded weights and their graphs, made once: exporting takes seconds."""

import importlib
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from app.demo.run import demo_speech
from app.errors import WeightsError
from app.face.analyzer import FaceAnalyzer
from app.face.config import FaceConfig
from app.face.nets import FaceNets
from app.media.mel import log_mel, mel_windows
from app.media.samples import decode_mono
from app.pipeline.motion import idle_motion
from app.runtime.nets import NETS
from app.runtime.onnx_graph import export, net_for
from app.runtime.quantisation import LEVELS, LayerScales, Quantisation, levels_of
from app.values import Portrait
from app.variants.calibration import wav2lip_frames
from app.weights.seeded import seeded
from app.weights.store import WeightStore

GraphFile = Callable[[str, bool], Path]
"""By name of the net, and whether it is in float16."""


@cache
def seeded_net(name: str) -> nn.Module:
    return NETS[name].net(seeded)


@cache
def eager_output(name: str) -> Tensor:
    """Return what the net answers to `NETS[name].example(1)`."""
    with torch.inference_mode():
        output: Tensor = seeded_net(name)(*NETS[name].example(1))
    return output


@pytest.fixture(scope="session")
def graph_file(tmp_path_factory: pytest.TempPathFactory) -> GraphFile:
    folder = tmp_path_factory.mktemp("graphs")

    @cache
    def made(name: str, fp16_mode: bool) -> Path:
        spec, path = NETS[name], folder / f"{name}-{fp16_mode}.onnx"
        export(net_for(spec, seeded_net(name), fp16_mode), spec.inputs, path)
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
    net, inputs, layers = seeded_net(name), NETS[name].example(1), {}

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
def wav2lip_clip(astronaut: NDArray[np.uint8]) -> tuple[Tensor, ...]:
    """Return 16 frames of the demo, spread over it, as Wav2Lip is given them."""
    try:
        analyzer = FaceAnalyzer(FaceNets.locate(WeightStore().path), FaceConfig())
    except WeightsError as error:
        pytest.skip(str(error))
    (mesh,) = analyzer.analyze(astronaut)
    samples, _ = decode_mono(demo_speech())
    rate = Fraction(2)
    mel = mel_windows(log_mel(samples), 16, rate)
    return wav2lip_frames(Portrait(astronaut), mesh, idle_motion(16, rate, seed=1), mel)
