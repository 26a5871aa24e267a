"""The nets that this product ships with their weights."""

import torch

from app.models.viseme.controls import Controls
from app.models.viseme.net import VisemeNet
from app.weights.embedded import embedded_tensors

VISEME_WEIGHTS = ("app.models.viseme", "controls.safetensors")
"""Package and file of what `python -m app.training viseme` writes."""


def controls_net() -> Controls:
    """Return the net from speech to mouth controls, in eval mode.

    Raises:
        WeightsError: the package's file is absent or damaged.
    """
    tensors = embedded_tensors(*VISEME_WEIGHTS)
    net = Controls()
    net.load_state_dict({name: torch.from_numpy(value) for name, value in tensors.items()})
    return net.eval()


def viseme_net() -> VisemeNet:
    """Return the whole embedded lip-sync net; errors as `controls_net`."""
    net = VisemeNet()
    net.controls = controls_net()
    return net.eval()
