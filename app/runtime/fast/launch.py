"""How the kernels are launched: tiles by shape, and where results go. Imported on a GPU only."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
import triton
from torch import Tensor
from triton.tools.tensor_descriptor import TensorDescriptor

from app.runtime.kernels import convnext as _convnext
from app.runtime.kernels import convolution as _convolution
from app.runtime.kernels import dense_motion as _dense_motion
from app.runtime.kernels import moments as _moments

if TYPE_CHECKING:
    from app.runtime.fast.convolution import Convolution

Tile = tuple[int, int, int, int]
"""Rows, columns, output channels, and input channels of one step."""

WAVE = 264
"""Programs that keep a Hopper GPU's 132 multiprocessors busy twice over."""


SHORT = 9
"""Steps of 64 channels for which a small program is the better one."""

MANY = {128: (32, 8), 256: (16, 4), 512: (2, 2), 1024: (1, 8)}
"""Columns and warps of a program of a depthwise convolution, by channels."""

FEW = {128: (8, 8), 256: (4, 4), 512: (2, 2), 1024: (1, 8)}
"""The same for few samples."""


def tile_of(conv: "Convolution", samples: int) -> tuple[Tile, int, int]:
    """Return the tile that measured best for so many samples, stages and warps.

    H100, 25 November 2026: 512 to 512 channels, 64 x 64: 659 TFLOP/s at batch 16, 594 at batch 1;
    the modulations 540 and 518. Two small programs on a multiprocessor mostly beat one large.
    """
    small, large = ((8, 16), 3, 4), ((16, 16), 4, 8)
    wide = 64 if conv.modulates or conv.outputs <= 64 else 128
    tiles = -(-conv.outputs // wide)
    if conv.modulates:
        area, stages, warps = large if samples // 256 * tiles >= WAVE else small
    elif conv.outputs % 128 == 0 or (tiles == 1 and conv.steps <= SHORT):
        area, stages, warps = small
    else:
        area, stages, warps = large
    return (*area, wide, 64), stages, warps


def convolve(
    conv: "Convolution", x: Tensor, other: Tensor | None, moments: Tensor | None, out: Tensor | None
) -> Tensor:
    """Run `Convolution.forward` as one kernel."""
    batch, planes, height, width, inputs = x.shape
    phases, stripes = len(conv.taps.rows), conv.taps.stripes
    planes = 1 if stripes > 1 else planes
    if out is None:
        out = x.new_empty(*_result(conv, x.shape), conv.outputs)
    samples = batch * planes * phases**2 * height * width
    (high, wide, first, step), stages, warps = tile_of(conv, samples)
    seen = other if other is not None else out
    up = phases * width // seen.shape[-2] if other is not None else 1
    # Rows that are there twice for two rows of the tile make no box.
    boxed = other is not None and not (up > 1 and phases == 1)
    tile = (high, wide, first)
    _convolution.convolve[(samples // (high * wide) * triton.cdiv(conv.outputs, first),)](
        TensorDescriptor.from_tensor(x, [1, 1, high, wide, step]),
        TensorDescriptor.from_tensor(conv.weight.view(-1, inputs), [first, step]),
        *(conv.table, conv.bias, seen),
        _boxes(seen, phases // up if boxed else 1, width if boxed else seen.shape[-2], tile),
        moments if moments is not None else conv.bias,
        _boxes(out, 1 if conv.apart else phases, width, tile),
        *(height, width, planes),
        **{"HIGH": high, "WIDE": wide, "FIRST": first, "STEP": step, "STAGES": stages},
        **{"N": conv.outputs, "WIDTH": inputs, "PHASES": phases, "STRIPES": stripes},
        **{"UP": up, "BOXED": boxed, "PARTS": moments.shape[1] if moments is not None else 1},
        **{"DEEP": conv.depth, "AREA": conv.taps.rows[0][1] ** 2, "APART": conv.apart},
        **{"SLOPE": conv.slope, "MODULATES": conv.modulates},
        ADDS=other is not None and not conv.modulates,
        **{"num_warps": warps, "num_stages": stages},
    )
    return out


def _result(conv: "Convolution", shape: Sequence[int]) -> tuple[int, ...]:
    """Return the shape of what a convolution writes, but for its channels."""
    batch, planes, height, width, _ = shape
    phases = len(conv.taps.rows)
    if conv.apart:
        return batch, phases**2, height, width
    planes = 1 if conv.taps.stripes > 1 else planes
    return batch, planes, phases * height, phases * width


def _boxes(x: Tensor, phases: int, width: int, tile: tuple[int, int, int]) -> TensorDescriptor:
    """Return (..., phases H, phases W, C) as (... H, phases, W, phases, C), a tile as a box."""
    high, wide, channels = tile
    pixel, row = x.stride(-2), x.stride(-3)
    rows = x.numel() // (x.shape[-1] * x.shape[-2] * phases)
    shape = [rows, phases, width, phases, x.shape[-1]]
    strides = [phases * row, row, phases * pixel, pixel, 1]
    return TensorDescriptor(x, shape, strides, [high, 1, wide, 1, channels])


def moments_of(x: Tensor) -> Tensor:
    """Return the mean and variance of every channel of images (B, ..., N), in parts."""
    batch, channels = x.shape[0], x.shape[-1]
    samples = x[0].numel() // channels
    parts = min(64, samples // 64)
    rows = min(256, samples // parts)
    columns = min(64, channels)
    out = torch.empty(batch, parts, 2, channels, device=x.device)
    _moments.moments[(batch, parts, channels // columns)](
        *(x, out, samples, channels), PARTS=parts, ROWS=rows, COLUMNS=columns
    )
    return out


def hints(volume: Tensor, source: Tensor, driving: Tensor, out: Tensor, offset: int) -> None:
    """Write heat maps and moved volumes into `out` (B, D, H, W, C') from a channel on."""
    batch, depth, height, width, channels = volume.shape
    _dense_motion.hints[(batch * depth * height * (width // 16),)](
        *(volume, source, driving, out, depth, height, width),
        M=source.shape[1] + 1,
        C=channels,
        WIDTH=out.shape[-1],
        OFFSET=offset,
        COLUMNS=16,
        num_warps=4,
    )


def mix(slices: Tensor, bias: Tensor, source: Tensor, driving: Tensor) -> Tensor:
    """Return the places (B, D, H, W, 3) float32 in samples that a volume is read at."""
    batch, depth, height, width, channels = slices.shape
    places = torch.empty(batch, depth, height, width, 3, device=slices.device)
    _dense_motion.mix[(batch * depth * height * (width // 32),)](
        *(slices, bias, source, driving, places, depth, height, width),
        M=source.shape[1] + 1,
        TAPS=7,
        WIDTH=channels,
        COLUMNS=32,
        num_warps=4,
    )
    return places


def warp(volume: Tensor, places: Tensor) -> Tensor:
    """Return a volume (B, D, H, W, C) at places, as (B, 1, H, W, D C)."""
    batch, depth, height, width, channels = volume.shape
    out = torch.empty(
        batch, 1, height, width, depth * channels, dtype=volume.dtype, device=volume.device
    )
    _dense_motion.warp[(batch * depth * height * (width // 32),)](
        *(volume, places, out, depth, height, width), C=channels, COLUMNS=32, num_warps=4
    )
    return out


def rectify_pool(x: Tensor, bias: Tensor, kept: Tensor) -> Tensor:
    """Return the halved relu(x + bias) (B, D, H / 2, W / 2, C), also written to `kept`."""
    batch, depth, height, width, channels = x.shape
    out = torch.empty(
        batch, depth, height // 2, width // 2, channels, dtype=x.dtype, device=x.device
    )
    columns = min(width // 2, max(1, 4096 // channels))
    columns = triton.next_power_of_2(columns)
    grid = (batch * depth * (height // 2), triton.cdiv(width // 2, columns))
    _dense_motion.rectify_pool[grid](
        *(x, bias, out, kept, height, width, kept.stride(-2)), C=channels, ROWS=columns
    )
    return out


def rectify_interleave(x: Tensor, bias: Tensor, out: Tensor) -> None:
    """Write four phases of relu(x + bias) into `out` (B, D, 2 H, 2 W, ...)."""
    batch, depth, height, width, channels = x.shape
    height, width, channels = height - 1, width - 1, channels // 4
    columns = min(2 * width, max(1, 4096 // channels))
    grid = (batch * depth * 2 * height, triton.cdiv(2 * width, columns))
    _dense_motion.rectify_interleave[grid](
        *(x, bias, out, height, width, out.stride(-2)), C=channels, ROWS=columns
    )


def gather(taps: Tensor, bias: Tensor, side: int) -> Tensor:
    """Return the sigmoid of the sum of shifted planes (B, H, W, taps) as (B, H, W)."""
    batch, height, width, planes = taps.shape
    out = torch.empty(batch, height, width, dtype=torch.float32, device=taps.device)
    _dense_motion.gather[(batch * height, width // 64)](
        *(taps, bias, out, height, width), SIDE=side, WIDTH=planes, COLUMNS=64
    )
    return out


def depthwise_norm(
    x: Tensor, border: Tensor, weights: tuple[Tensor, ...], epsilon: float
) -> Tensor:
    """Return the layer norm of a depthwise convolution of x and what a border adds."""
    batch, height, width, channels = x.shape
    out = torch.empty_like(x)
    wide = triton.next_power_of_2(channels)
    many = batch * height * width * wide >= 1 << 20
    rows = 4 if many else 1
    pixels, warps = (MANY if many else FEW)[wide]
    _convnext.depthwise_norm[(batch * (height // rows) * (width // pixels),)](
        *(x, border, *weights, out, height, width),
        C=channels,
        WIDE=wide,
        ROWS=rows,
        PIXELS=pixels,
        EPSILON=epsilon,
        num_warps=warps,
    )
    return out


def respond(x: Tensor, gamma: Tensor, epsilon: float) -> Tensor:
    """Return gelu(x), each channel scaled by its norm against the others'; x is overwritten."""
    batch, height, width, channels = x.shape
    samples = height * width
    parts = max(1, min(32, samples // 16))
    energy = torch.empty(batch, parts, channels, device=x.device)
    gain = torch.empty(batch, channels, device=x.device)
    _convnext.gelu_energy[(batch, parts, channels // 128)](
        *(x, energy, samples, channels), PARTS=parts, ROWS=16
    )
    _convnext.response[(batch,)](
        *(energy, gamma, gain),
        C=channels,
        WIDE=triton.next_power_of_2(channels),
        PARTS=parts,
        EPSILON=epsilon,
        num_warps=16,
    )
    _convnext.scale[(batch * samples // 16, channels // 128)](
        *(x, gain, samples, channels), ROWS=16
    )
    return x
