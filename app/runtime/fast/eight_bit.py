"""The animator's large products in 8-bit floating point (e4m3), which Hopper does twice as fast.

Weights have a scale per output channel. What passes from one convolution to the next has one, from
the largest value on frames; between blocks all stays in half precision, as do the convolutions that
read what the warp made, and the last.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from app.runtime.fast.convolution import LARGEST, Convolution
from app.runtime.fast.make import FastAnimator

if TYPE_CHECKING:
    from app.runtime.fast.decoder import FastBlock

HEADROOM = 2.0
"""By which values may exceed what was measured; a floating type loses nothing by it."""


def links(net: FastAnimator) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the names of each convolution that writes 8 bit and of those that read it."""
    middle = [f"decoder.middle.{i}" for i in range(len(net.decoder.middle))]
    yield (
        "decoder.shared",
        tuple(f"{block}.norm_{place}" for block in middle for place in (0, 1)),
    )
    for name in (*middle, "decoder.up_0", "decoder.up_1"):
        block = cast("FastBlock", net.get_submodule(name))
        places = [place for place in "01s" if getattr(block, f"norm_{place}") is not None]
        if block.shared is not None:
            yield f"{name}.shared", tuple(f"{name}.norm_{place}" for place in places)
        for place in places:
            yield f"{name}.norm_{place}", (f"{name}.conv_{place}",)
    yield "warping.motion.hourglass.out", ("warping.motion.mask",)


def peaks(net: FastAnimator, frames: Sequence[Tensor]) -> dict[str, float]:
    """Return the largest value that each convolution of `links` writes.

    Args:
        net: not in 8 bit yet.
        frames: its inputs, on its device.
    """
    found: dict[str, float] = {}

    def keep(name: str) -> None:
        def hook(module: nn.Module, given: object, output: Tensor) -> None:
            found[name] = output.abs().max().item()

        stack.callback(net.get_submodule(name).register_forward_hook(hook).remove)

    with ExitStack() as stack, torch.inference_mode():
        for name, _ in links(net):
            keep(name)
        net(*frames)
    return found


def narrow(net: FastAnimator, largest: Mapping[str, float]) -> None:
    """Let the convolutions of `links` pass 8 bit, in place.

    Args:
        net: as `fast.make` returns it.
        largest: of `peaks`.
    """
    for name, readers in links(net):
        scale = max(HEADROOM * largest[name], 1e-6) / LARGEST
        cast("Convolution", net.get_submodule(name)).write_eight_bit(scale)
        for reader in readers:
            cast("Convolution", net.get_submodule(reader)).read_eight_bit(scale)
        if name == "warping.motion.hourglass.out":
            net.warping.motion.occlusion.data *= scale
