"""Static INT8: which layers, at which scales, by NVIDIA's Model Optimizer and real frames.

Scales are symmetric: one per tensor for what enters a layer, one per output channel for weights.
Layers that lose most are measured and stay as they were.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from app.runtime.precision import signal_to_noise_db

Quantised = Any
"""A layer of Model Optimizer's, with `input_quantizer` and `weight_quantizer`."""

Frames = Sequence[tuple[Tensor, ...]]
"""Batches of calibration frames: the inputs of a net, as it takes them."""

LEVELS = 127
GOAL_DB = 25.0
"""Signal to noise of the output, from which on no more layers are taken out."""

_LAYERS = (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.Linear)


@dataclass(frozen=True, slots=True)
class LayerScales:
    """How a layer is quantised.

    Attributes:
        activation: value of one level of its input, > 0.
        weight: (output channels,) float32, value of one level of its weights, > 0.
        noise_db: signal to noise of the layer's own output, measured.
    """

    activation: float
    weight: NDArray[np.float32]
    noise_db: float


@dataclass(frozen=True, slots=True)
class Quantisation:
    """What becomes INT8 in a net.

    Attributes:
        layers: by module name.
        kept: names of layers that stay as they were, the noisiest first.
        output_db: signal to noise of the net's output on the calibration frames.
    """

    layers: Mapping[str, LayerScales]
    kept: tuple[str, ...]
    output_db: float


def quantise(
    net: nn.Module,
    frames: Frames,
    goal_db: float = GOAL_DB,
    keep: Sequence[str] = (),
    progress: Callable[[str], None] = lambda said: None,
) -> Quantisation:
    """Return the scales of a net's layers, having taken out as many as the goal asks for.

    Layers are taken out in the order of the noise that each adds to its own output: none, then
    one, two, four, until the net's output reaches the goal or half of them are out.

    Args:
        net: float32, in eval mode; not changed.
        frames: real ones; all are run several times.
        goal_db: signal to noise of the output, in dB.
        keep: names of layers that are taken out whatever they measure.
        progress: told what is being done.
    """
    from modelopt.torch import quantization as modelopt

    with torch.no_grad():
        wanted = [net(*batch).float() for batch in frames]
        progress(f"calibrating on {sum(len(batch[0]) for batch in frames)} frames")
        quantised = modelopt.quantize(copy.deepcopy(net), _config(), lambda on: _run(on, frames))
        layers = _layers(quantised)
        for name in keep:
            _switch(layers.pop(name), on=False)
        noise = _noise_db(quantised, layers, frames[:1])
        order = sorted(layers, key=lambda name: noise[name])
        out = 0
        while True:
            for name in order[:out]:
                _switch(layers[name], on=False)
            reached = signal_to_noise_db(torch.cat(wanted), _run(quantised, frames))
            progress(f"{len(order) - out} of {len(order)} layers in INT8: {reached:.1f} dB")
            if reached >= goal_db or out >= len(order) // 2:
                break
            out = max(1, 2 * out)
    inside = {name: _scales(layers[name], noise[name]) for name in order[out:]}
    return Quantisation(inside, (*keep, *order[:out]), reached)


def _config() -> dict[str, Any]:
    """Return Model Optimizer's configuration: INT8 on every layer, by the largest value seen."""

    def quantizer(name: str, axis: int | None, **where: str) -> dict[str, Any]:
        return {"quantizer_name": name, "cfg": {"num_bits": 8, "axis": axis}, **where}

    rules = [
        {"quantizer_name": "*", "enable": False},
        quantizer("*weight_quantizer", 0),
        # A transposed convolution keeps its output channels second.
        quantizer("*weight_quantizer", 1, parent_class="nn.ConvTranspose2d"),
        quantizer("*input_quantizer", None),
    ]
    return {"quant_cfg": rules, "algorithm": "max"}


def _run(net: nn.Module, frames: Frames) -> Tensor:
    return torch.cat([net(*batch).float() for batch in frames])


def _layers(net: nn.Module) -> dict[str, Quantised]:
    """Return the quantised layers by name; a layer that no frame reached has no scale."""
    return {
        name: module
        for name, module in net.named_modules()
        if isinstance(module, _LAYERS)
        and getattr(getattr(module, "input_quantizer", None), "amax", None) is not None
    }


def _switch(layer: Quantised, on: bool) -> None:
    for quantizer in (layer.input_quantizer, layer.weight_quantizer):
        quantizer.enable() if on else quantizer.disable()


def _noise_db(net: nn.Module, layers: Mapping[str, Quantised], frames: Frames) -> dict[str, float]:
    """Return the signal to noise of each layer's output, for the inputs that it sees in the net."""
    noise: dict[str, float] = {}

    def measure(name: str) -> Callable[[Quantised, tuple[Tensor, ...], Tensor], None]:
        def hook(layer: Quantised, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            _switch(layer, on=False)
            noise[name] = signal_to_noise_db(layer.forward(*inputs), output)
            _switch(layer, on=True)

        return hook

    handles = [layer.register_forward_hook(measure(name)) for name, layer in layers.items()]
    _run(net, frames)
    for handle in handles:
        handle.remove()
    return noise


def _scales(layer: Quantised, noise_db: float) -> LayerScales:
    largest = layer.weight_quantizer.amax.float().flatten().numpy()
    activation = float(layer.input_quantizer.amax)
    weight = np.maximum(largest, 1e-5).astype(np.float32) / np.float32(LEVELS)
    return LayerScales(max(activation, 1e-5) / LEVELS, weight, noise_db)
