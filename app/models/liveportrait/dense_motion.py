"""Dense motion: a deformation of the whole volume from two sets of key-points.

B batch, C channels (4 after compression), D depth (16), H height and W width (64), K key-points
(21), M motions (22: standing still, then one per key-point). Coordinates are x right, y down, z
inwards, -1 at the first sample and 1 at the last.
"""

from typing import cast

import torch
from torch import Tensor, nn

from app.models.liveportrait.blocks import ConvNorm, UpConvNorm
from app.models.liveportrait.folding import split_taps

Axes = tuple[Tensor, Tensor, Tensor]
"""Places of the volume's samples along x, y and z."""

DEPTH = 16
MOTIONS = 22
COMPRESSED = 4
VARIANCE = 0.01
"""Of the Gaussian that marks a key-point in its heat map."""


class DenseMotion(nn.Module):
    """Mixes one motion per key-point, and standing still, at every sample of the volume.

    Places are computed in float32 at least, whatever the net's own type: float16 would round them
    to 1/32 of a sample.
    """

    def __init__(self) -> None:
        super().__init__()
        self.compress = ConvNorm.deep(32, COMPRESSED, kernel=1)
        self.hourglass = Hourglass(MOTIONS * (COMPRESSED + 1))
        self.mask = nn.Conv3d(self.hourglass.outputs, MOTIONS, 7, padding=3)
        self.occlusion: nn.Module = nn.Conv2d(self.hourglass.outputs * DEPTH, 1, 7, padding=3)

    def forward(
        self, volume_BCDHW: Tensor, source_BK3: Tensor, driving_BK3: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return deformation, occlusion and mask; see `warping.Warped`."""
        wide = torch.float64 if driving_BK3.dtype == torch.float64 else torch.float32
        source_BK3, driving_BK3 = source_BK3.to(wide), driving_BK3.to(wide)
        depth, height, width = volume_BCDHW.shape[2:]
        axes = (axis(width, driving_BK3), axis(height, driving_BK3), axis(depth, driving_BK3))
        shift_BK3 = source_BK3 - driving_BK3
        shift_BM3 = torch.cat([torch.zeros_like(shift_BK3[:, :1]), shift_BK3], 1)
        heat_BKDHW = heat_maps(axes, driving_BK3) - heat_maps(axes, source_BK3)
        heat_BMDHW = torch.cat([torch.zeros_like(heat_BKDHW[:, :1]), heat_BKDHW], 1)
        moved_BMCDHW = shift_volume(self.compress(volume_BCDHW), axes, shift_BM3)
        heat_BM1DHW = heat_BMDHW.unsqueeze(2).to(moved_BMCDHW.dtype)
        hints = torch.cat([heat_BM1DHW, moved_BMCDHW], 2).flatten(1, 2)
        seen = self.hourglass(hints)
        mask_BMDHW = self.mask(seen).softmax(1)
        occlusion = self.occlusion(seen.flatten(1, 2)).sigmoid()
        return mix(mask_BMDHW, axes, shift_BM3), occlusion, mask_BMDHW

    def fold(self) -> None:
        """Take the occlusion's convolution apart: 2,272 channels become one."""
        self.occlusion = split_taps(cast("nn.Conv2d", self.occlusion))


def axis(size: int, like: Tensor) -> Tensor:
    """Return (size,) from -1 to 1, of the type and on the device of `like`."""
    return torch.linspace(-1, 1, size, dtype=like.dtype, device=like.device)


def heat_maps(axes: Axes, points_BK3: Tensor) -> Tensor:
    """Return a heat map (B, K, D, H, W) per point: a Gaussian, the product of one per axis."""
    x, y, z = (
        torch.exp(-(places - points_BK3[..., i, None]).square() / (2 * VARIANCE))
        for i, places in enumerate(axes)
    )
    plane_BKHW = y.unsqueeze(-1) * x.unsqueeze(-2)
    return z[..., None, None] * plane_BKHW.unsqueeze(2)


def shift_volume(volume_BCDHW: Tensor, axes: Axes, shift_BM3: Tensor) -> Tensor:
    """Return the volume as each motion sees it, (B, M, C, D, H, W): trilinear, 0 outside.

    A motion moves all samples alike, so that sampling is one matrix per axis. They hold what
    `warping.warp_volume` would do at the places `axes + shift`.
    """
    x, y, z = (
        sampling_matrices(places, shift_BM3[..., i]).to(volume_BCDHW.dtype)
        for i, places in enumerate(axes)
    )
    volume = volume_BCDHW.unsqueeze(1).flatten(4)
    volume = torch.unflatten(z.unsqueeze(2) @ volume, -1, volume_BCDHW.shape[-2:])
    volume = y[:, :, None, None] @ volume
    return torch.matmul(volume, x[:, :, None, None].transpose(-1, -2))


def sampling_matrices(axis_N: Tensor, shift_BM: Tensor) -> Tensor:
    """Return the matrices (B, M, N, N) that sample an axis linearly at its own places, shifted.

    Row i holds max(0, 1 - |p - j|) for samples j, with p the place of sample i; 0 outside. As in
    `warping.warp_volume`, places are read as if -1 and 1 were the samples' outer edges.
    """
    size = axis_N.shape[0]
    place_BMN = ((axis_N + shift_BM.unsqueeze(-1) + 1) * size - 1) / 2
    sample_N = torch.arange(size, dtype=axis_N.dtype, device=axis_N.device)
    return (1 - (place_BMN.unsqueeze(-1) - sample_N).abs()).clamp(min=0)


def mix(mask_BMDHW: Tensor, axes: Axes, shift_BM3: Tensor) -> Tensor:
    """Return the deformation (B, D, H, W, 3): the grid, and the mean shift by the mask.

    The mask adds up to 1, so the grid comes out of the sum over motions.
    """
    shares = mask_BMDHW.flatten(2).transpose(1, 2).to(shift_BM3.dtype)
    shift = torch.unflatten(shares @ shift_BM3, 1, mask_BMDHW.shape[2:])
    x, y, z = axes
    grid_zyx = torch.meshgrid(z, y, x, indexing="ij")
    return torch.stack(grid_zyx[::-1], -1) + shift


class Hourglass(nn.Module):
    """Five halvings of height and width and back, with the input of each kept beside; depth stays.

    Args:
        inputs: channels.

    Attributes:
        outputs: channels of the result.
    """

    def __init__(self, inputs: int) -> None:
        super().__init__()
        widths = (64, 128, 256, 512, 1024)
        self.down = nn.ModuleList(
            ConvNorm.deep(before, width)
            for before, width in zip((inputs, *widths[:-1]), widths, strict=True)
        )
        ups = ((1024, 512), (1024, 256), (512, 128), (256, 64), (128, 32))
        self.up = nn.ModuleList(UpConvNorm(*pair) for pair in ups)
        self.outputs = 32 + inputs
        self.out = ConvNorm.deep(self.outputs, self.outputs)

    def forward(self, x_BCDHW: Tensor) -> Tensor:
        """Return (B, outputs, D, H, W)."""
        kept = [x_BCDHW]
        for block in self.down:
            kept.append(nn.functional.avg_pool3d(block(kept[-1]), (1, 2, 2)))
        x = kept.pop()
        for block in self.up:
            x = torch.cat([block(x), kept.pop()], 1)
        return cast("Tensor", self.out(x))
