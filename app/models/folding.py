"""Folding: a loaded net turned into the same function with fewer operations.

A module that can do without some of its own tensors in inference has a method `fold`. The net
before folding keeps the checkpoint's tensors; the folded copy has others, and no way back.
"""

import copy
from typing import Protocol, TypeVar, runtime_checkable

import torch
from torch import nn

Net = TypeVar("Net", bound=nn.Module)


@runtime_checkable
class Foldable(Protocol):
    """A module that can merge constant operations of its own children."""

    def fold(self) -> None:
        """Merge them in place; weights are loaded, and only inference follows."""


@torch.no_grad()
def folded(net: Net) -> Net:
    """Return a copy for inference, in eval mode and without gradients, with all of it folded."""
    result = copy.deepcopy(net).eval().requires_grad_(False)
    for module in list(result.modules()):
        if isinstance(module, Foldable):
            module.fold()
    return result
