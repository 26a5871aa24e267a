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
        activation: value of one level of its input, > 0; None where only the weights are stored
            in INT8, and the layer computes in the graph's own type.
        weight: (output channels,) float32, value of one level of its weights, > 0.
        noise_db: signal to noise of the layer's own output with its input in INT8, measured.
    """

    activation: float | None
    weight: NDArray[np.float32]
    noise_db: float


@dataclass(frozen=True, slots=True)
class Quantisation:
    """What becomes INT8 in a net.

    Attributes:
        layers: by module name, the noisiest first.
        output_db: signal to noise of the net's output on the calibration frames.
    """

    layers: Mapping[str, LayerScales]
    output_db: float

    def computed(self) -> list[str]:
        """Return the layers that compute in INT8."""
        return [name for name, scales in self.layers.items() if scales.activation is not None]


def quantise(
    net: nn.Module,
    frames: Frames,
    goal_db: float = GOAL_DB,
    progress: Callable[[str], None] = lambda said: None,
) -> Quantisation:
    """Return the scales of a net's layers; as many compute in INT8 as the goal allows.

    Layers are taken out in the order of the noise that each adds to its own output, the fewest
    with which the net's output reaches the goal; all of them if none does. The weights of all are
    INT8 in any case.

    Args:
        net: float32, in eval mode; not changed.
        frames: real ones; all are run several times, the first batch once more.
        goal_db: signal to noise of the output, in dB.
        progress: told what is being done.
    """
    from modelopt.torch import quantization as modelopt

    with torch.no_grad():
        wanted = _run(net, frames)
        progress(f"calibrating on {sum(len(batch[0]) for batch in frames)} frames")
        quantised = modelopt.quantize(copy.deepcopy(net), _config(), lambda on: _run(on, frames))
        layers = _layers(quantised)
        noise = _noise_db(quantised, layers, frames[:1])
        order = sorted(layers, key=lambda name: noise[name])

        def reached_without(out: int) -> float:
            for index, name in enumerate(order):
                quantizer = layers[name].input_quantizer
                quantizer.disable() if index < out else quantizer.enable()
            reached = signal_to_noise_db(wanted, _run(quantised, frames))
            progress(f"{len(order) - out} of {len(order)} layers in INT8: {reached:.1f} dB")
            return reached

        out = _fewest(reached_without, goal_db, len(order))
        reached = reached_without(out)
    scales = {name: _scales(layers[name], noise[name]) for name in order}
    return Quantisation(scales, reached)


def _fewest(reached_without: Callable[[int], float], goal_db: float, most: int) -> int:
    """Return how few layers, up to `most`, must be left out to reach the goal, by halving."""
    if reached_without(0) >= goal_db:
        return 0
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached_without(middle) >= goal_db else (middle, high)
    return high


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


def _noise_db(net: nn.Module, layers: Mapping[str, Quantised], frames: Frames) -> dict[str, float]:
    """Return the signal to noise of each layer's output, for the inputs that it sees in the net."""
    noise: dict[str, float] = {}

    def measure(name: str) -> Callable[[Quantised, tuple[Tensor, ...], Tensor], None]:
        def hook(layer: Quantised, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            layer.input_quantizer.disable()
            noise[name] = signal_to_noise_db(layer.forward(*inputs), output)
            layer.input_quantizer.enable()

        return hook

    handles = [layer.register_forward_hook(measure(name)) for name, layer in layers.items()]
    _run(net, frames)
    for handle in handles:
        handle.remove()
    return noise


def _scales(layer: Quantised, noise_db: float) -> LayerScales:
    weight = levels_of(layer.weight_quantizer.amax.float().flatten().numpy())
    on = layer.input_quantizer.is_enabled
    activation = float(levels_of(layer.input_quantizer.amax.float().cpu().numpy()))
    return LayerScales(activation if on else None, weight, noise_db)


def levels_of(largest: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the value of one level where values are as large as this, > 0 also for zeros."""
    return np.asarray(np.maximum(largest, 1e-5) / LEVELS, np.float32)
