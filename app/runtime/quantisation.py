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

from app.runtime.accuracy import snr_db

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
        noise_db: signal to noise of the net's output with nothing else in INT8; None where all
            layers could stay, and none was measured.
    """

    activation: float | None
    weight: NDArray[np.float32]
    noise_db: float | None


@dataclass(frozen=True, slots=True)
class Quantisation:
    """What becomes INT8 in a net.

    Attributes:
        layers: by module name, the noisiest first where that was measured.
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

    Where all of them miss it, each is measured alone, and the noisiest are taken out, the fewest
    with which the output reaches the goal. The weights of all are INT8 in any case.

    Args:
        net: float32, in eval mode; not changed.
        frames: real ones; all are run several times, the first batch once for every layer.
        goal_db: signal to noise of the output, in dB.
        progress: told what is being done.
    """
    from modelopt.torch import quantization as modelopt

    with torch.no_grad():
        wanted = _run(net, frames)
        progress(f"calibrating on {sum(len(batch[0]) for batch in frames)} frames")
        quantised = modelopt.quantize(copy.deepcopy(net), _config(), lambda on: _run(on, frames))
        layers = _layers(quantised)

        def reached_with(inside: Sequence[str]) -> float:
            for name, layer in layers.items():
                _switch(layer.input_quantizer, name in inside)
            reached = snr_db(_run(quantised, frames), wanted)
            progress(f"{len(inside)} of {len(layers)} layers in INT8: {reached:.1f} dB")
            return reached

        reached = reached_with(list(layers))
        noise: dict[str, float] = {}
        inside = list(layers)
        if reached < goal_db:
            noise = _noise_db(net, quantised, layers, frames[0])
            order = sorted(layers, key=lambda name: noise[name])
            out = _fewest(lambda out: reached_with(order[out:]), goal_db, len(order))
            inside = order[out:]
            reached = reached_with(inside)
    order = sorted(layers, key=lambda name: noise.get(name, 0.0))
    scales = {name: _scales(layers[name], name in inside, noise.get(name)) for name in order}
    return Quantisation(scales, reached)


def _fewest(reached_without: Callable[[int], float], goal_db: float, most: int) -> int:
    """Return how few layers, 1 to `most`, must be left out to reach the goal, by halving."""
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


def _noise_db(
    net: nn.Module, quantised: nn.Module, layers: Mapping[str, Quantised], batch: tuple[Tensor, ...]
) -> dict[str, float]:
    """Return the signal to noise of the output with nothing but one layer's input in INT8.

    A layer's own output tells less: in LivePortrait, the few that decide where the picture is taken
    from cost most, and look best.
    """
    wanted, noise = _run(net, [batch]), {}
    for layer in layers.values():
        _switch(layer.input_quantizer, False)
        _switch(layer.weight_quantizer, False)
    for name, layer in layers.items():
        _switch(layer.input_quantizer, True)
        noise[name] = snr_db(_run(quantised, [batch]), wanted)
        _switch(layer.input_quantizer, False)
    for layer in layers.values():
        _switch(layer.weight_quantizer, True)
    return noise


def _switch(quantizer: Quantised, on: bool) -> None:
    quantizer.enable() if on else quantizer.disable()


def _scales(layer: Quantised, inside: bool, noise_db: float | None) -> LayerScales:
    weight = levels_of(layer.weight_quantizer.amax.float().flatten().cpu().numpy())
    activation = float(levels_of(layer.input_quantizer.amax.float().cpu().numpy()))
    return LayerScales(activation if inside else None, weight, noise_db)


def levels_of(largest: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the value of one level where values are as large as this, > 0 also for zeros."""
    return np.asarray(np.maximum(largest, 1e-5) / LEVELS, np.float32)
