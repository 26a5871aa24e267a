"""A net in float16, but for the modules that float16 would spoil."""

import copy
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Literal

import torch
from torch import Tensor, nn

Precision = Literal["fp32", "fp16", "int8", "fp8"]


class Float32(nn.Module):
    """Runs a module in float32 inside a float16 net: values are widened before, narrowed after.

    Args:
        module: takes and gives one tensor.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        """Return the module's output, in the type of its input."""
        y: Tensor = self.module(x.float())
        return y.to(x.dtype)


class Halved(nn.Module):
    """A float16 net with the inputs and outputs of its float32 original.

    Args:
        net: in float16; gives one tensor.
        narrow: indices of the inputs that become float16 at once. The others go in as they are:
            bytes, and places, of which the net itself computes in float32.
        last: whether images and volumes among them become channels last.
    """

    def __init__(self, net: nn.Module, narrow: Sequence[int], last: bool = False) -> None:
        super().__init__()
        self.net = net
        self._narrow = frozenset(narrow)
        self._last = last

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return the output, float32 where the net's is of a floating type."""
        output: Tensor = self.net(
            *(self._half(x) if index in self._narrow else x for index, x in enumerate(inputs))
        )
        return output.float() if output.is_floating_point() else output

    def _half(self, x: Tensor) -> Tensor:
        order = _LAST.get(x.dim(), torch.preserve_format) if self._last else torch.preserve_format
        return x.to(torch.float16, memory_format=order)


_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}
"""By the dimensions of a tensor; others are as they come."""


def channels_last(net: nn.Module) -> nn.Module:
    """Return the net with the weights of its convolutions, in place, as GPUs like them."""
    for parameter in net.parameters():
        if parameter.dim() in _LAST:
            parameter.data = parameter.data.contiguous(memory_format=_LAST[parameter.dim()])
    return net


def halved(
    net: nn.Module, keep: Sequence[str] = (), narrow: Sequence[int] = (), last: bool = False
) -> nn.Module:
    """Return a float16 copy of a net.

    Args:
        net: for inference; gives one tensor, whose type stays.
        keep: patterns (`*` is anything) of the names of modules that stay in float32, each of
            one tensor to one tensor.
        narrow: as `Halved` takes it.
        last: whether weights, images and volumes are channels last, as GPUs like them.

    Raises:
        ValueError: a pattern names no module.
    """
    result = copy.deepcopy(net).eval().requires_grad_(False).half()
    for pattern in keep:
        names = list(_matching(result, pattern))
        if not names:
            raise ValueError(f"the net has no module {pattern!r} to keep in float32")
        for name in names:
            original = net.get_submodule(name)
            wide = Float32(copy.deepcopy(original).eval().requires_grad_(False).float())
            parent, _, child = name.rpartition(".")
            setattr(result.get_submodule(parent), child, wide)
    return Halved(channels_last(result) if last else result, narrow, last)


def _matching(net: nn.Module, pattern: str) -> Iterator[str]:
    return (name for name, _ in net.named_modules() if name and fnmatchcase(name, pattern))
