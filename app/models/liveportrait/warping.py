"""Warping (W): a portrait's feature volume, moved by key-points, as the decoder takes it.

B batch, C channels (32), D depth (16), H height and W width (64), K key-points (21), M motions
(22: standing still, then one per key-point). Coordinates are x right, y down, z inwards, -1 at the
first sample and 1 at the last.
"""

from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from app.models.liveportrait.blocks import ConvNorm
from app.models.liveportrait.dense_motion import DenseMotion

if TYPE_CHECKING:
    from collections.abc import Callable


class Warped(NamedTuple):
    """What the warping net says.

    Attributes:
        feature: (B, 256, 64, 64), for the decoder.
        deformation: (B, 16, 64, 64, 3) where in the source volume each sample comes from: x, y, z.
        occlusion: (B, 1, 64, 64) in (0, 1): how much of it the source shows.
        mask: (B, 22, 16, 64, 64), the share of each motion in the deformation.
    """

    feature: Tensor
    deformation: Tensor
    occlusion: Tensor
    mask: Tensor


class WarpingNet(nn.Module):
    """Dense motion, the warp of the volume, and its projection onto the image plane.

    Attributes:
        warp: `warp_volume`, or `gather_volume` where a runtime has no such operation.
    """

    def __init__(self) -> None:
        super().__init__()
        self.warp: Callable[[Tensor, Tensor], Tensor] = warp_volume
        self.motion = DenseMotion()
        self.flatten = ConvNorm.flat(512, 256, slope=0.01)
        self.project = nn.Conv2d(256, 256, 1)

    def forward(self, volume_BCDHW: Tensor, source_BK3: Tensor, driving_BK3: Tensor) -> Warped:
        """Return the warped feature of each frame.

        Args:
            volume_BCDHW: (B, 32, 16, 64, 64), the portrait's, of `AppearanceExtractor`.
            source_BK3: (B, 21, 3), its posed key-points.
            driving_BK3: (B, 21, 3), the frame's.
        """
        deformation, occlusion, mask = self.motion(volume_BCDHW, source_BK3, driving_BK3)
        warped = self.warp(volume_BCDHW, deformation).flatten(1, 2)
        feature = self.project(self.flatten(warped)) * occlusion
        return Warped(feature, deformation, occlusion, mask)


def warp_volume(volume_BCDHW: Tensor, places_BDHW3: Tensor) -> Tensor:
    """Return the volume at x, y, z: trilinear, 0 outside.

    The places are made for corners at -1 and 1, but read as if these were the samples' outer edges:
    so do the published nets, and their weights expect it.
    """
    volume = volume_BCDHW.to(places_BDHW3.dtype)
    warped = functional.grid_sample(volume, places_BDHW3, align_corners=False)
    return warped.to(volume_BCDHW.dtype)


def gather_volume(volume_BCDHW: Tensor, places_BDHW3: Tensor) -> Tensor:
    """Return what `warp_volume` does, by eight look-ups of whole samples.

    For graphs: ONNX before opset 20 and TensorRT before its RTX edition sample images only, not
    volumes. A look-up reads the channels of a sample side by side, so they are laid last.
    """
    batch, channels, depth, height, width = volume_BCDHW.shape
    samples = volume_BCDHW.permute(0, 2, 3, 4, 1).reshape(-1, channels)
    xs = _neighbours(places_BDHW3[..., 0], width, 1)
    ys = _neighbours(places_BDHW3[..., 1], height, width)
    zs = _neighbours(places_BDHW3[..., 2], depth, width * height)
    first = torch.arange(batch, device=samples.device).view(-1, 1, 1, 1) * (width * height * depth)
    total = torch.zeros((), dtype=samples.dtype, device=samples.device)
    for (share_x, x), (share_y, y), (share_z, z) in product(xs, ys, zs):
        share = (share_x * share_y * share_z).unsqueeze(-1)
        total = total + samples[first + z + y + x] * share.to(samples.dtype)
    return total.permute(0, 4, 1, 2, 3)


def _neighbours(places: Tensor, size: int, stride: int) -> list[tuple[Tensor, Tensor]]:
    """Return the samples before and after places along an axis: their share, and where they lie.

    Args:
        places: -1 to 1 from edge to edge of the axis.
        size: samples of the axis; those beyond have no share.
        stride: from one sample to the next.
    """
    # Far outside all is 0 alike, and whole numbers must stay small.
    place = (((places + 1) * size - 1) / 2).clamp(-2, size + 1)
    before = place.floor()
    sides = []
    for at, share in ((before, 1 - (place - before)), (before + 1, place - before)):
        inside = ((at >= 0) & (at <= size - 1)).to(share.dtype)
        sides.append((share * inside, at.clamp(0, size - 1).long() * stride))
    return sides
