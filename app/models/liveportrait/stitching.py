"""Stitching and retargeting (S): small perceptrons that correct posed key-points.

B batch. Key-points are flat: 21 points x (x, y, z) = 63 numbers.
"""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

KEY_POINT_NUMBERS = 63


class Perceptron(nn.Module):
    """Linear layers with rectifiers between them.

    Args:
        widths: of the input, of every hidden layer, of the output.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))

    @classmethod
    def shoulder(cls) -> "Perceptron":
        """Return the stitching net.

        Input: source, then driven key-points. Output: 63 changes of the driven ones, and what all
        their x and all their y move by.
        """
        return cls((2 * KEY_POINT_NUMBERS, 128, 128, 64, KEY_POINT_NUMBERS + 2))

    @classmethod
    def eye(cls) -> "Perceptron":
        """Return the eye net: source points; left, right, wanted eye ratio; 63 changes."""
        return cls((KEY_POINT_NUMBERS + 3, 256, 256, 128, 128, 64, KEY_POINT_NUMBERS))

    @classmethod
    def lip(cls) -> "Perceptron":
        """Return the lip net: source points; the lip's ratio, the wanted one; 63 changes."""
        return cls((KEY_POINT_NUMBERS + 2, 128, 128, 64, KEY_POINT_NUMBERS))

    def forward(self, x_BN: Tensor) -> Tensor:
        """Return (B, widths[-1]) of inputs (B, widths[0])."""
        *hidden, last = self.layers
        for layer in hidden:
            x_BN = functional.relu(layer(x_BN))
        output: Tensor = last(x_BN)
        return output
