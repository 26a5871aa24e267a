"""What tells a net's weights from any others."""

import hashlib

import torch
from torch import nn


def weights_digest(net: nn.Module) -> str:
    """Return the SHA-256 over a net's tensors and their names, types and shapes."""
    total = hashlib.sha256()
    for name, tensor in sorted(net.state_dict().items()):
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        total.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return total.hexdigest()
