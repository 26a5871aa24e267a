"""Convolution as an implicit matrix product whose operands the tensor copy engine fetches.

B images, Z planes, H height, W width, C input and N output channels, channels last throughout.
What lies outside an image reads as 0, which is the padding. Rows of taps are contiguous in the
image whose rows the P planes interleave: row P i + j of it is row i of plane j.
"""

import triton
import triton.language as tl

AHEAD = tl.constexpr(8)
"""Rows by which positions are moved up so that dividing them never meets a negative one."""


@triton.jit
def _position(
    tile, H, W, planes, HIGH: tl.constexpr, WIDE: tl.constexpr, PHASES: tl.constexpr,
    N_TILES: tl.constexpr,
):  # fmt: skip
    """Return what a program computes: image, plane, first row and column, output tile, phase."""
    n_tile = tile % N_TILES
    tile = tile // N_TILES
    w0 = tile % (W // WIDE) * WIDE
    tile = tile // (W // WIDE)
    h0 = tile % (H // HIGH) * HIGH
    tile = tile // (H // HIGH)
    phase = tile % (PHASES * PHASES)
    tile = tile // (PHASES * PHASES)
    return tile // planes, tile % planes, h0, w0, n_tile, phase


@triton.jit
def _normalised(x, moments, b, columns, N: tl.constexpr, PARTS: tl.constexpr):
    """Return x by the mean and variance of its image and channel, which `moments` has in parts."""
    parts = moments + (b * PARTS + tl.arange(0, PARTS)[:, None]) * 2 * N + columns[None, :]
    means = tl.load(parts)
    mean = tl.sum(means, 0) / PARTS
    away = means - mean[None, :]
    variance = tl.sum(tl.load(parts + N) + away * away, 0) / PARTS
    return (x - mean[None, :]) * tl.rsqrt(variance + 1e-5)[None, :]


@triton.jit
def _summed(
    x, weight, second_weight, rows, base, place, n0,
    ALL: tl.constexpr, FIRST: tl.constexpr, SECOND: tl.constexpr, STEP: tl.constexpr,
    STEPS: tl.constexpr, SHARE: tl.constexpr, N: tl.constexpr, DEEP: tl.constexpr,
    STRIPES: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """Return the sums over all taps and channels, in float32: (ALL, FIRST), (ALL, SECOND)."""
    sy, ny, sx, nx = rows
    b, z0, h0, w0 = place
    first = tl.zeros((ALL, FIRST), tl.float32)
    second = tl.zeros((ALL, SECOND), tl.float32)
    for i in tl.range(0, DEEP * ny * nx * STEPS, num_stages=STAGES):
        tap = i // STEPS
        k = i % STEPS * STEP
        tz = tap // (ny * nx)
        flat = tap - tz * ny * nx
        ry = sy + flat // nx + AHEAD * STRIPES
        rx = sx + flat % nx + AHEAD * STRIPES
        z = z0 + tz - DEEP // 2
        if STRIPES > 1:
            z = ry % STRIPES * STRIPES + rx % STRIPES
        box = x.load([b, z, h0 + ry // STRIPES - AHEAD, w0 + rx // STRIPES - AHEAD, k])
        samples = box.reshape(ALL, STEP)
        row = (base + tap) * SHARE + n0
        first = tl.dot(samples, weight.load([row, k]).T, first)
        if SECOND > 1:
            second = tl.dot(samples, second_weight.load([row + N, k]).T, second)
    return first, second


@triton.jit
def convolve(
    x, weight, second_weight, phases, bias, other, seen_box, moments, out, H, W, planes, out_width,
    HIGH: tl.constexpr, WIDE: tl.constexpr, FIRST: tl.constexpr, STEP: tl.constexpr,
    PHASES: tl.constexpr, STRIPES: tl.constexpr, WIDTH: tl.constexpr,
    N: tl.constexpr, EXTRA: tl.constexpr, DEEP: tl.constexpr, MODULATES: tl.constexpr, ADDS: tl.constexpr,
    PARTS: tl.constexpr, UP: tl.constexpr, SLOPE: tl.constexpr, APART: tl.constexpr,
    BOXED: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """Write one tile: HIGH rows x WIDE columns x FIRST output channels of one plane and phase.

    EXTRA: output channels beyond N, which is a power of 2 then and one tile.
    BOXED: `other` is seen as (images x planes x H, phases, W, phases, channels), so that a tile
    of one phase is a box.
    MODULATES: the second half of the weights makes an offset, and the first a gain, of `other`
    normalised by `moments` and repeated UP times. ADDS: `other` is added. APART: phases go to
    planes of their own; else they interleave.
    """
    ALL: tl.constexpr = HIGH * WIDE
    b, z, h0, w0, n_tile, phase = _position(
        tl.program_id(0), H, W, planes, HIGH, WIDE, PHASES, N // FIRST
    )
    y_phase, x_phase = phases + phase // PHASES * 2, phases + phase % PHASES * 2
    rows = (tl.load(y_phase), tl.load(y_phase + 1), tl.load(x_phase), tl.load(x_phase + 1))
    base = tl.load(phases + 2 * PHASES + phase)
    SECOND: tl.constexpr = FIRST if MODULATES else (EXTRA if EXTRA else 1)
    SHARE: tl.constexpr = 2 * N if MODULATES else N + EXTRA
    gain, offset = _summed(
        x, weight, second_weight, rows, base, (b, z, h0, w0), n_tile * FIRST,
        ALL, FIRST, SECOND, STEP, (WIDTH + STEP - 1) // STEP, SHARE, N, DEEP, STRIPES, STAGES,
    )  # fmt: skip
    columns = n_tile * FIRST + tl.arange(0, FIRST)
    y = gain + tl.load(bias + columns)[None, :]
    y_of, x_of = phase // PHASES, phase % PHASES
    if MODULATES or ADDS:
        if BOXED:
            place = [(b * planes + z) * H + h0, y_of // UP, w0, x_of // UP, n_tile * FIRST]
            seen = seen_box.load(place).reshape(ALL, FIRST).to(tl.float32)
        else:
            m = tl.arange(0, ALL)
            low_y, low_x = (h0 + m // WIDE) // UP, (w0 + m % WIDE) // UP
            low = ((b * planes + z) * (H // UP) + low_y) * (W // UP) + low_x
            place = low[:, None].to(tl.int64) * N + columns[None, :]
            seen = tl.load(other + place).to(tl.float32)
        if MODULATES:
            seen = _normalised(seen, moments, b, columns, N, PARTS)
            y = y * seen + (offset + tl.load(bias + N + columns)[None, :])
        else:
            y += seen
    if SLOPE < 1:
        y = tl.where(y > 0, y, y * SLOPE)
    m = tl.arange(0, ALL)
    h, w = h0 + m // WIDE, w0 + m % WIDE
    if APART:
        pixel = ((b * PHASES * PHASES + phase) * H + h) * W + w
    else:
        pixel = (((b * planes + z) * H + h) * PHASES + y_of) * W * PHASES + w * PHASES + x_of
    to = out + pixel[:, None].to(tl.int64) * out_width
    tl.store(to + columns[None, :], y.to(out.dtype.element_ty))
    if EXTRA > 0:
        columns = N + tl.arange(0, EXTRA)
        y = offset + tl.load(bias + columns)[None, :]
        if SLOPE < 1:
            y = tl.where(y > 0, y, y * SLOPE)
        tl.store(to + columns[None, :], y.to(out.dtype.element_ty))
