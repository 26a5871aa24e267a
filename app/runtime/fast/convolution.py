"""Convolutions for `kernels.convolution`: the weights rearranged, and the formula in torch.

B images, Z planes, H height, W width, C input and N output channels; channels last.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

EIGHT_BIT = torch.float8_e4m3fn
LARGEST = torch.finfo(EIGHT_BIT).max

LINEAR = 1.0
"""Slope of a rectifier that does nothing."""


@dataclass(frozen=True, slots=True)
class Taps:
    """Which rows (and columns, alike) of an image each phase of the result reads.

    Attributes:
        rows: per phase, the first row relative to the sample's and how many follow.
        sums: per phase and row, which taps of the kernel are added up for it.
        stripes: planes that interleave to the image, per axis.
    """

    rows: tuple[tuple[int, int], ...]
    sums: tuple[tuple[tuple[int, ...], ...], ...]
    stripes: int = 1

    @classmethod
    def plain(cls, kernel: int) -> "Taps":
        """Return those of an ordinary kernel."""
        return cls(((-(kernel // 2), kernel),), (tuple((tap,) for tap in range(kernel)),))

    def merged(self, weight: Tensor) -> Tensor:
        """Return the weight (N, C, [Z,] K, K) as (taps of all phases, N, C)."""
        deep = weight if weight.dim() == 5 else weight.unsqueeze(2)
        masks = [
            torch.tensor([[float(k in row) for k in range(weight.shape[-1])] for row in phase])
            for phase in self.sums
        ]
        parts = [
            torch.einsum("nczyx,ay,bx->zabnc", deep, y.to(weight), x.to(weight)).flatten(0, 2)
            for y in masks
            for x in masks
        ]
        return torch.cat(parts)

    def table(self, depth: int) -> list[int]:
        """Return what the kernel reads: the rows, then each phase's first tap."""
        numbers = [number for row in self.rows for number in row]
        base = 0
        for _, high in self.rows:
            for _, wide in self.rows:
                numbers.append(base)
                base += depth * high * wide
        return numbers


DOUBLED = Taps(((-1, 2), (0, 2)), (((0,), (1, 2)), ((0, 1), (2,))))
"""Of an image whose samples come twice: see `folding.halve_kernel`."""

FOURFOLD = Taps(((-1, 2), (0, 1), (0, 2)), (((0,), (1, 2)), ((0, 1, 2),), ((0, 1), (2,))))
"""Of one whose samples come four times; the middle two rows are alike, and computed once."""

SPREAD = Taps(
    ((-1, 3), (0, 2), (1, 2), (1, 3)),
    (((0,), (1,), (2,)), ((0,), (1, 2)), ((0, 1), (2,)), ((0,), (1,), (2,))),
    stripes=3,
)
"""Of what FOURFOLD computed, as if the middle row were there twice."""


class Convolution(nn.Module):
    """A convolution with its bias and rectifier, or a modulation by one.

    Args:
        weight: (N, C, K, K), or (N, C, Z, K, K) over planes; of a modulation (2 N, ...), the
            gains first.
        bias: of as many.
        taps: how phases read the image.
        slope: of the rectifier below 0.
        modulates: whether `other`, normalised, is multiplied and moved by what comes out.
        apart: whether phases become planes; else they interleave.
        inputs: channels of the image where it has more than the weight: the rest counts nothing.

    Attributes:
        kind: of what is written, where it is not that of the image.
    """

    scale: Tensor | None
    bias: Tensor

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor,
        taps: Taps,
        *,
        slope: float = LINEAR,
        modulates: bool = False,
        apart: bool = False,
        inputs: int | None = None,
    ) -> None:
        super().__init__()
        weight = functional.pad(
            weight, (0, 0) * (weight.dim() - 2) + (0, (inputs or weight.shape[1]) - weight.shape[1])
        )
        self.taps, self.slope, self.modulates, self.apart = taps, slope, modulates, apart
        self.kind: torch.dtype | None = None
        self.depth = weight.shape[2] if weight.dim() == 5 else 1
        merged = taps.merged(weight.detach().float())
        self.weight = nn.Parameter(merged, requires_grad=False)
        self.register_buffer("scale", None)
        self.register_buffer("bias", bias.detach().float().clone())
        table = torch.tensor(taps.table(self.depth), dtype=torch.int32)
        self.register_buffer("table", table)

    @property
    def outputs(self) -> int:
        """Return the channels that come out."""
        return self.weight.shape[1] // (2 if self.modulates else 1)

    @property
    def steps(self) -> int:
        """Return how many times 64 channels are multiplied for one sample, at most."""
        taps = self.depth * max(high for _, high in self.taps.rows) ** 2
        return taps * -(-self.weight.shape[2] // 64)

    def forward(
        self,
        x_BZHWC: Tensor,
        other: Tensor | None = None,
        moments: Tensor | None = None,
        out: Tensor | None = None,
    ) -> Tensor:
        """Return (B, Z', phases H, phases W, N), or (B, phases^2, H, W, N) where they go apart.

        Args:
            x_BZHWC: Z planes of depth, or the stripes' planes.
            other: to be added, or modulated.
            moments: of `other`.
            out: where to write, its channels contiguous.
        """
        if x_BZHWC.is_cuda:
            from app.runtime.fast import launch

            return launch.convolve(self, x_BZHWC, other, moments, out)
        y = self._formula(x_BZHWC.float() if x_BZHWC.dtype == EIGHT_BIT else x_BZHWC)
        y = y if self.scale is None else y * self.scale
        y = y + self.bias
        if self.modulates:
            assert other is not None
            y = self._modulated(y, other)
        elif other is not None:
            y = y + other
        y = functional.leaky_relu(y, self.slope) if self.slope < 1 else y
        if out is not None:
            return out.copy_(y)
        return y.clamp(-LARGEST, LARGEST).to(EIGHT_BIT) if self.kind == EIGHT_BIT else y

    def read_eight_bit(self, scale: float) -> None:
        """Take images in 8 bit, whose values are `scale` times that; the weights become so too."""
        self.kind = self.kind or self.weight.dtype
        weight = self.weight.detach().float()
        own = weight.abs().amax((0, 2)).clamp(min=1e-12) / LARGEST
        eight = (weight / own[:, None]).to(EIGHT_BIT)
        self.weight = nn.Parameter(eight, requires_grad=False)
        self._multiply(scale * own)

    def write_eight_bit(self, scale: float) -> None:
        """Write in 8 bit, values over `scale`."""
        self.kind = EIGHT_BIT
        self._multiply(torch.full_like(self.bias, 1 / scale))
        self.bias = self.bias / scale

    def _multiply(self, factor: Tensor) -> None:
        before = torch.ones_like(factor) if self.scale is None else self.scale
        self.scale = before * factor

    def _modulated(self, y: Tensor, other: Tensor) -> Tensor:
        image = other.movedim(-1, 1)
        normal = functional.instance_norm(image.flatten(2)).view_as(image).movedim(1, -1)
        up = y.shape[-2] // other.shape[-2]
        normal = normal.repeat_interleave(up, -2).repeat_interleave(up, -3)
        gain, offset = y.chunk(2, -1)
        return gain * normal + offset

    def _formula(self, x_BZHWC: Tensor) -> Tensor:
        """Return the sums over taps, by shifted copies of the image."""
        stripes, phases = self.taps.stripes, len(self.taps.rows)
        batch, _, height, width, channels = x_BZHWC.shape
        if stripes > 1:
            x = x_BZHWC.view(batch, stripes, stripes, height, width, channels)
            x = x.permute(0, 3, 1, 4, 2, 5).reshape(batch, 1, stripes * height, -1, channels)
        else:
            x = x_BZHWC
        around, deep = 4 * stripes, self.depth // 2
        x = functional.pad(x, (0, 0, around, around, around, around, deep, deep))
        depth = x.shape[1] - 2 * deep
        results, tap = [], iter(self.weight.to(x.dtype))
        for sy, ny in self.taps.rows:
            for sx, nx in self.taps.rows:
                total: Tensor | float = 0.0
                for z, y, c in _places(self.depth, ny, nx):
                    rows = slice(around + sy + y, around + sy + y + stripes * height, stripes)
                    columns = slice(around + sx + c, around + sx + c + stripes * width, stripes)
                    total = total + x[:, z : z + depth, rows, columns] @ next(tap).T
                results.append(cast("Tensor", total))
        if self.apart:
            return torch.cat(results, 1)
        apart = torch.unflatten(torch.stack(results, -2), -2, (phases, phases))
        return apart.permute(0, 1, 2, 4, 3, 5, 6).flatten(4, 5).flatten(2, 3)


def _places(*sizes: int) -> Sequence[tuple[int, int, int]]:
    deep, high, wide = sizes
    return [(z, y, x) for z in range(deep) for y in range(high) for x in range(wide)]
