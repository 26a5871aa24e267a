"""Dynamic INT8 quantisation, as the chapter has it: `torch.ao.quantization.quantize_dynamic`.

It replaces linear layers, whose inputs it quantises as they come, and knows no convolution. Of
these nets it therefore changes nothing in Wav2Lip, whose layers are all convolutions, nor in
LivePortrait's appearance, warping and decoder; static INT8 (`int8.py`, `quantisation.py`) is what
makes them faster. It is kept for nets of linear layers, on the CPU.
"""

import warnings
from typing import TypeVar

import torch
from torch import nn
from torch.ao.quantization import quantize_dynamic

Net = TypeVar("Net", bound=nn.Module)


def dynamically_quantised(net: Net) -> Net:
    """Return a copy of a net, for the CPU, whose linear layers hold INT8 weights."""
    with warnings.catch_warnings():
        # Said to be leaving torch for torchao, whose own is for linear layers only just as well.
        warnings.simplefilter("ignore", DeprecationWarning)
        quantised: Net = quantize_dynamic(  # type: ignore[no-untyped-call]
            net, {nn.Linear, nn.Conv2d}, dtype=torch.qint8
        )
    return quantised
