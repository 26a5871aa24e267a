"""What folding makes of LivePortrait's convolutions; `app.models.folding` says when."""

import torch
from torch import Tensor, nn


def halve_kernel(weight: Tensor) -> Tensor:
    """Return the kernel that does on the small image what `weight` does on the doubled one.

    A 3-tap convolution of rows that all come twice sees two different rows only. Position p of the
    result stands between small rows p - 1 and p, and gives two doubled rows: 2p - 1 and 2p.

    Args:
        weight: (O, I, ..., 3, 3).

    Returns:
        (4 O, I, ..., 2, 2), the channels ordered as (O, 2, 2).
    """
    taps = weight.new_tensor([[[1, 1, 0], [0, 0, 1]], [[1, 0, 0], [0, 1, 1]]])
    kernel = torch.einsum("oi...yx,aky,blx->oabi...kl", weight, taps, taps)
    return kernel.flatten(0, 2).contiguous()


def split_taps(conv: nn.Conv2d) -> nn.Sequential:
    """Return the same function as a matrix product and a sum of shifted planes.

    A convolution of thousands of channels into one runs at a fraction of a matrix product's speed.

    Args:
        conv: (1, I, H, W) weight with "same" padding and stride 1.
    """
    _, inputs, height, width = conv.weight.shape
    taps = height * width
    planes = nn.Conv2d(inputs, taps, 1, bias=False)
    weight = conv.weight.view(inputs, taps, 1, 1).transpose(0, 1).contiguous()
    planes.weight = nn.Parameter(weight, requires_grad=False)
    gather = nn.Conv2d(taps, 1, (height, width), padding=(height // 2, width // 2))
    one_each = torch.eye(taps).to(weight).view(1, taps, height, width)
    gather.weight = nn.Parameter(one_each, requires_grad=False)
    gather.bias = conv.bias
    return nn.Sequential(planes, gather)
