"""The fit of the net that tells sounds apart, by which recordings are aligned to their text.

B clips of a batch, S steps, P sounds.
"""

import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from app.quality.alignment import CONTEXT_STEPS, DILATIONS, PHONES
from app.training.batches import Batches, Labels, labels_of
from app.training.clips import Clip
from app.training.schedule import Schedule
from app.training.variation import varied

_WIDTH, _WIDTHS = 96, (5, 3, 3, 13)


def fit_aligner(
    clips: Sequence[Clip],
    schedule: Schedule,
    seed: int,
    told: Callable[[str], None] = lambda said: None,
    device: str = "cpu",
) -> dict[str, NDArray[np.float16]]:
    """Return the weights that `app.quality.alignment` reads."""
    torch.manual_seed(seed)
    draw = np.random.default_rng(seed)
    batches = Batches(clips, schedule, draw, CONTEXT_STEPS, CONTEXT_STEPS)
    net, out = _net()
    net, out = net.to(device), out.to(device)
    parameters = [*net.parameters(), *out.parameters()]
    optimiser = torch.optim.AdamW(parameters, schedule.rate, weight_decay=0.02)
    rate = schedule.rates(optimiser)
    start = time.perf_counter()
    for step in range(1, schedule.steps + 1):
        mel, _, wanted = (each.to(device) for each in batches.next())
        loss = functional.cross_entropy(out(net(varied(mel) * 0.25)), wanted)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        rate.step()
        if step % 100 == 0:
            told(f"step {step}: loss {loss.item():.4f}, {time.perf_counter() - start:.0f} s")
    return _weights(net.cpu(), out.cpu(), [labels_of(clip) for clip in clips])


def _net() -> tuple[nn.Sequential, nn.Conv1d]:
    layers: list[nn.Module] = []
    channels = 80
    for width, dilation in zip(_WIDTHS, DILATIONS, strict=True):
        layers += [nn.Conv1d(channels, _WIDTH, width, dilation=dilation), nn.ReLU()]
        channels = _WIDTH
    return nn.Sequential(*layers), nn.Conv1d(_WIDTH, len(PHONES), 1)


def _weights(
    net: nn.Sequential, out: nn.Conv1d, labels: Sequence[Labels]
) -> dict[str, NDArray[np.float16]]:
    counts = np.bincount(np.concatenate(list(labels)), minlength=len(PHONES)) + 100
    tensors = {"log_prior": np.log(counts / counts.sum())}
    convolutions = [layer for layer in net if isinstance(layer, nn.Conv1d)]
    for index, layer in enumerate(convolutions):
        assert layer.bias is not None
        tensors[f"{index}.weight"] = layer.weight.detach().numpy()
        tensors[f"{index}.bias"] = layer.bias.detach().numpy()
    assert out.bias is not None
    tensors["out.weight"] = out.weight.detach().numpy()[:, :, 0]
    tensors["out.bias"] = out.bias.detach().numpy()
    return {name: np.ascontiguousarray(value, np.float16) for name, value in tensors.items()}
