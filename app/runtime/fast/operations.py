"""The steps around convolutions: one kernel each on a GPU, the torch formula elsewhere.

B frames, D planes, H rows, W columns, C channels, M motions (22); channels last.
"""

import torch
from torch import Tensor
from torch.nn import functional

from app.models.liveportrait import dense_motion


def moments_of(x_BZHWC: Tensor) -> Tensor | None:
    """Return what `Convolution` normalises an image by; nothing off a GPU."""
    if not x_BZHWC.is_cuda:
        return None
    from app.runtime.fast import launch

    return launch.moments_of(x_BZHWC)


def hints(
    volume_BDHWC: Tensor, source_BK3: Tensor, driving_BK3: Tensor, out: Tensor, offset: int
) -> None:
    """Write each motion's heat map, then each channel as each motion sees it; zeros after.

    Args:
        volume_BDHWC: compressed.
        source_BK3: float32 key-points, contiguous.
        driving_BK3: likewise.
        out: (B, D, H, W, C'), written from a channel on: heat (M), then C times M.
        offset: that channel.
    """
    if out.is_cuda:
        from app.runtime.fast import launch

        launch.hints(volume_BDHWC, source_BK3, driving_BK3, out, offset)
        return
    depth, height, width = volume_BDHWC.shape[1:4]
    axes = _axes(depth, height, width, driving_BK3)
    shift_BM3 = _shifts(source_BK3, driving_BK3)
    heat = dense_motion.heat_maps(axes, driving_BK3) - dense_motion.heat_maps(axes, source_BK3)
    heat = functional.pad(heat, (0, 0, 0, 0, 0, 0, 1, 0))
    moved = dense_motion.shift_volume(volume_BDHWC.movedim(-1, 1), axes, shift_BM3)
    both = torch.cat([heat.unsqueeze(1), moved.transpose(1, 2)], 1).flatten(1, 2)
    end = offset + both.shape[1]
    out[..., offset:end] = both.movedim(1, -1)
    out[..., end:] = 0


def mix(slices: Tensor, bias_M: Tensor, source_BK3: Tensor, driving_BK3: Tensor) -> Tensor:
    """Return where a volume is read, (B, D, H, W, 3) float32 x, y, z in samples.

    Args:
        slices: (B, D, H, W, C') logits of M motions per depth tap, to be added up over depth.
        bias_M: of the logits, float32.
        source_BK3: float32 key-points, contiguous.
        driving_BK3: likewise.
    """
    if slices.is_cuda:
        from app.runtime.fast import launch

        return launch.mix(slices, bias_M, source_BK3, driving_BK3)
    depth, height, width = slices.shape[1:4]
    motions = len(bias_M)
    padded = functional.pad(slices, (0, 0, 0, 0, 0, 0, 3, 3))
    logits = sum(
        padded[:, tap : tap + depth, ..., tap * motions : (tap + 1) * motions] for tap in range(7)
    )
    assert isinstance(logits, Tensor)
    share = (logits.float() + bias_M).softmax(-1).movedim(-1, 1)
    axes = _axes(depth, height, width, driving_BK3)
    places = dense_motion.mix(share, axes, _shifts(source_BK3, driving_BK3))
    return ((places + 1) * places.new_tensor([width, height, depth]) - 1) / 2


def warp(volume_BDHWC: Tensor, places_BDHW3: Tensor) -> Tensor:
    """Return the volume at places in samples, trilinear, 0 outside, as (B, 1, H, W, D C)."""
    if volume_BDHWC.is_cuda:
        from app.runtime.fast import launch

        return launch.warp(volume_BDHWC, places_BDHW3)
    depth, height, width = volume_BDHWC.shape[1:4]
    grid = (2 * places_BDHW3 + 1) / places_BDHW3.new_tensor([width, height, depth]) - 1
    image = volume_BDHWC.movedim(-1, 1)
    warped = functional.grid_sample(image, grid.to(image.dtype), align_corners=False)
    return warped.permute(0, 3, 4, 2, 1).flatten(3).unsqueeze(1)


def rectify_pool(x_BDHWC: Tensor, bias_C: Tensor, kept: Tensor) -> Tensor:
    """Return relu(x + bias), height and width halved by means; also written to `kept`."""
    if x_BDHWC.is_cuda:
        from app.runtime.fast import launch

        return launch.rectify_pool(x_BDHWC, bias_C, kept)
    y = functional.relu(x_BDHWC + bias_C)
    y = torch.unflatten(torch.unflatten(y, 3, (-1, 2)), 2, (-1, 2)).mean((3, 5))
    return kept.copy_(y)


def rectify_interleave(x: Tensor, bias_C: Tensor, out: Tensor) -> None:
    """Write four phases of relu(x + bias), interleaved, to `out` (B, D, 2 H, 2 W, C).

    Args:
        x: (B, D, H + 1, W + 1, 4 C), channels ordered as (2, 2, C); see `blocks.interleave`.
        bias_C: float32.
        out: its channels contiguous.
    """
    if x.is_cuda:
        from app.runtime.fast import launch

        launch.rectify_interleave(x, bias_C, out)
        return
    height, width = out.shape[2:4]
    y = torch.unflatten(x, -1, (2, 2, -1)).permute(0, 1, 2, 4, 3, 5, 6).flatten(4, 5).flatten(2, 3)
    out.copy_(functional.relu(y[:, :, 1 : height + 1, 1 : width + 1] + bias_C))


def gather(taps_BHWT: Tensor, bias: Tensor, side: int) -> Tensor:
    """Return the sigmoid of the sum of planes, each shifted by its place in a window: (B, H, W).

    Args:
        taps_BHWT: float32, side * side planes first.
        bias: (1,) float32.
        side: of the window.
    """
    if taps_BHWT.is_cuda:
        from app.runtime.fast import launch

        return launch.gather(taps_BHWT, bias, side)
    weight = torch.eye(side * side).view(1, -1, side, side).to(taps_BHWT)
    planes = taps_BHWT[..., : side * side].movedim(-1, 1)
    return functional.conv2d(planes, weight, bias.to(planes), padding=side // 2)[:, 0].sigmoid()


def _axes(depth: int, height: int, width: int, like: Tensor) -> dense_motion.Axes:
    x, y, z = (dense_motion.axis(size, like) for size in (width, height, depth))
    return x, y, z


def _shifts(source_BK3: Tensor, driving_BK3: Tensor) -> Tensor:
    return functional.pad(source_BK3 - driving_BK3, (0, 0, 1, 0))


def depthwise_norm(
    x_BHWC: Tensor, border_77C: Tensor, weights: tuple[Tensor, ...], epsilon: float
) -> Tensor:
    """Return the layer norm of a 7 x 7 depthwise convolution of x, 0 outside, plus a border.

    Args:
        x_BHWC: contiguous, H and W at least 7.
        border_77C: float32, for the first three rows, those between, and the last three; columns
            alike.
        weights: (49, C); the norm's gamma and beta, (C,) float32.
        epsilon: of the norm.
    """
    if x_BHWC.is_cuda:
        from app.runtime.fast import launch

        return launch.depthwise_norm(x_BHWC, border_77C, weights, epsilon)
    taps, gamma, beta = weights
    kernel = taps.T.reshape(-1, 1, 7, 7)
    y = functional.conv2d(x_BHWC.movedim(-1, 1), kernel, padding=3, groups=len(kernel))
    rows, columns = (_border(size) for size in x_BHWC.shape[1:3])
    y = y.movedim(1, -1) + border_77C[rows][:, columns]
    return functional.layer_norm(y, y.shape[-1:], gamma, beta, epsilon)


def _border(size: int) -> Tensor:
    """Return (size,), 0, 1, 2, then 3 between, and 4, 5, 6 at the end."""
    place = torch.arange(size)
    return place.clamp(max=3) + (place - (size - 4)).clamp(min=0)


def respond(x_BHWC: Tensor, gamma_C: Tensor, epsilon: float) -> Tensor:
    """Return gelu(x), scaled per channel by 1 + gamma * norm / mean norm; may overwrite x."""
    if x_BHWC.is_cuda:
        from app.runtime.fast import launch

        return launch.respond(x_BHWC, gamma_C, epsilon)
    y = functional.gelu(x_BHWC)
    norm = torch.linalg.vector_norm(y, dim=(1, 2), keepdim=True)
    answer: Tensor = y * (1 + gamma_C * norm / (norm.mean(-1, keepdim=True) + epsilon))
    return answer
