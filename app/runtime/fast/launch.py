"""How the kernels are launched: tiles by shape, and where results go. Imported on a GPU only."""

from collections.abc import Sequence
from dataclasses import dataclass
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

WAVE = 264
"""Programs that keep a Hopper GPU's 132 multiprocessors busy twice over."""


SHORT = 9
"""Steps of 64 channels for which a small program is the better one."""

MANY = {128: (32, 8), 256: (16, 4), 512: (2, 2), 1024: (1, 8)}
"""Columns and warps of a program of a depthwise convolution, by channels."""

FEW = {128: (8, 8), 256: (4, 4), 512: (2, 2), 1024: (1, 8)}
"""The same for few samples."""


@dataclass(frozen=True, slots=True)
class Tile:
    """What one program computes, and with how much of a multiprocessor.

    Attributes:
        high: rows.
        wide: columns.
        first: output channels.
        rest: further ones, where one program computes all.
        step: input channels of a product.
        stages: that are fetched ahead.
        warps: of 32 threads.
    """

    high: int
    wide: int
    first: int
    rest: int
    step: int
    stages: int
    warps: int


@dataclass(frozen=True, slots=True)
class Share:
    """Rows of a tile, and what of a multiprocessor it takes; see `Tile`."""

    high: int
    stages: int
    warps: int


SMALL = Share(high=8, stages=3, warps=4)
LARGE = Share(high=16, stages=4, warps=8)
EIGHT_BIT_REST = Share(high=16, stages=3, warps=8)


def tile_of(conv: "Convolution", samples: int) -> Tile:
    """Return the tile that measured best for so many samples.

    H100, 25 November 2026: 512 to 512 channels, 64 x 64: 659 TFLOP/s at batch 16, 594 at batch 1;
    the modulations 540 and 518. Two small programs on a multiprocessor mostly beat one large; in 8
    bits, where they take 0.65 of the time, always, but for the mask's products (0.88 of it).
    """
    first = 64 if conv.modulates or conv.outputs <= 64 else 128
    rest = 64 if first < conv.outputs <= first + 64 and not conv.modulates else 0
    # A row of a box is 128 bytes, which is what the copy engine likes best.
    eight_bit = conv.weight.itemsize == 1
    step = 128 if eight_bit and conv.weight.shape[2] % 128 == 0 else 64
    share = SMALL
    if eight_bit:
        share = EIGHT_BIT_REST if rest else SMALL
    elif conv.modulates:
        share = LARGE if samples // 256 * (conv.outputs // first) >= WAVE else SMALL
    elif first == 64 and conv.steps > SHORT:
        share = LARGE
    return Tile(share.high, 16, first, rest, step, share.stages, share.warps)


def convolve(
    conv: "Convolution", x: Tensor, other: Tensor | None, moments: Tensor | None, out: Tensor | None
) -> Tensor:
    """Run `Convolution.forward` as one kernel."""
    batch, planes, height, width, inputs = x.shape
    phases, stripes = len(conv.taps.rows), conv.taps.stripes
    planes = 1 if stripes > 1 else planes
    if out is None:
        shape = (*_result(conv, x.shape), conv.outputs)
        out = x.new_empty(shape, dtype=conv.kind or x.dtype)
    samples = batch * planes * phases**2 * height * width
    tile = tile_of(conv, samples)
    weight = conv.weight.view(-1, inputs)
    seen = other if other is not None else out
    up = phases * width // seen.shape[-2] if other is not None else 1
    # Rows that are there twice for two rows of the tile make no box.
    boxed = other is not None and not (up > 1 and phases == 1)
    apart = 1 if conv.apart else phases
    tiles = 1 if tile.rest else triton.cdiv(conv.outputs, tile.first)
    _convolution.convolve[(samples // (tile.high * tile.wide) * tiles,)](
        TensorDescriptor.from_tensor(x, [1, 1, tile.high, tile.wide, tile.step]),
        TensorDescriptor.from_tensor(weight, [tile.first, tile.step]),
        TensorDescriptor.from_tensor(weight, [tile.rest or tile.first, tile.step]),
        *(conv.table, conv.bias if conv.scale is None else conv.scale, conv.bias, seen),
        _boxes(seen, phases // up, width, tile, tile.first) if boxed else seen,
        moments if moments is not None else conv.bias,
        *(_boxes(out, apart, width, tile, share) for share in (tile.first, tile.rest or 64)),
        *(height, width, planes),
        **{"HIGH": tile.high, "WIDE": tile.wide, "FIRST": tile.first, "REST": tile.rest},
        **{"N": conv.outputs, "WIDTH": inputs, "PHASES": phases, "STRIPES": stripes},
        **{"UP": up, "BOXED": boxed, "PARTS": moments.shape[1] if moments is not None else 1},
        **{"DEEP": conv.depth, "AREA": conv.taps.rows[0][1] ** 2, "APART": conv.apart},
        **{"SLOPE": conv.slope, "MODULATES": conv.modulates, "SCALED": conv.scale is not None},
        **{"ADDS": other is not None and not conv.modulates},
        **{"STEP": tile.step, "STAGES": tile.stages},
        **{"num_warps": tile.warps, "num_stages": tile.stages},
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


def _boxes(x: Tensor, phases: int, width: int, tile: Tile, channels: int) -> TensorDescriptor:
    """Return (..., phases H, phases W, C) as (... H, phases, W, phases, C), a tile as a box."""
    pixel, row = x.stride(-2), x.stride(-3)
    rows = x.numel() // (x.shape[-1] * x.shape[-2] * phases)
    shape = [rows, phases, width, phases, x.shape[-1]]
    strides = [phases * row, row, phases * pixel, pixel, 1]
    return TensorDescriptor(x, shape, strides, [tile.high, 1, tile.wide, 1, channels])


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
