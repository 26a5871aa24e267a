"""Warping (W): a portrait's feature volume, moved by key-points, as the decoder takes it.

B batch, C channels (32), D depth (16), H height and W width (64), K key-points (21), M motions
(22: standing still, then one per key-point). Coordinates are x right, y down, z inwards, -1 at the
first sample and 1 at the last.
"""

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional

from app.models.liveportrait.blocks import ConvNorm
from app.models.liveportrait.dense_motion import DenseMotion


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
    """Dense motion, the warp of the volume, and its projection onto the image plane."""

    def __init__(self) -> None:
        super().__init__()
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
        warped = warp_volume(volume_BCDHW, deformation).flatten(1, 2)
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
