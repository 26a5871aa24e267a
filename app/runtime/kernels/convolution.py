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
def _position(tile, H, W, planes, TILE: tl.constexpr, PHASES: tl.constexpr, N_TILES: tl.constexpr):
    """Return what a program computes: image, first plane, row, column, output tile, phase."""
    n_tile = tile % N_TILES
    tile = tile // N_TILES
    w0 = tile % (W // TILE[2]) * TILE[2]
    tile = tile // (W // TILE[2])
    h0 = tile % (H // TILE[1]) * TILE[1]
    tile = tile // (H // TILE[1])
    phase = tile % (PHASES * PHASES)
    tile = tile // (PHASES * PHASES)
    z0 = tile % planes * TILE[0]
    return tile // planes, z0, h0, w0, n_tile, phase


@triton.jit
def _normalised(x, moments, b, columns, N: tl.constexpr, PARTS: tl.constexpr):
    """Return x by the mean and variance of its image and channel, which `moments` has in parts."""
    first = moments + b * PARTS * 2 * N + columns
    mean = tl.zeros_like(columns).to(tl.float32)
    for part in range(PARTS):
        mean += tl.load(first + part * 2 * N)
    mean = mean / PARTS
    variance = tl.zeros_like(mean)
    for part in range(PARTS):
        away = tl.load(first + part * 2 * N) - mean
        variance += tl.load(first + (part * 2 + 1) * N) + away * away
    return (x - mean[None, :]) * tl.rsqrt(variance / PARTS + 1e-5)[None, :]


@triton.jit
def _summed(
    x, weight, second_weight, rows, base, place, n0,
    TILE: tl.constexpr, WIDTH: tl.constexpr, SECOND: tl.constexpr, SHARE: tl.constexpr,
    DEEP: tl.constexpr, STRIPES: tl.constexpr, LAYOUT: tl.constexpr,
):  # fmt: skip
    """Return the sums over all taps and channels, in float32: (samples, TILE[3]) twice."""
    ALL: tl.constexpr = TILE[0] * TILE[1] * TILE[2]
    STEPS: tl.constexpr = (WIDTH + TILE[4] - 1) // TILE[4]
    sy, ny, sx, nx = rows
    b, z0, h0, w0 = place
    first = tl.zeros((ALL, TILE[3]), tl.float32)
    second = tl.zeros((ALL, SECOND), tl.float32)
    for i in tl.range(0, DEEP * ny * nx * STEPS, num_stages=LAYOUT[0]):
        tap = i // STEPS
        k = i % STEPS * TILE[4]
        tz = tap // (ny * nx)
        flat = tap - tz * ny * nx
        ry = sy + flat // nx + AHEAD * STRIPES
        rx = sx + flat % nx + AHEAD * STRIPES
        z = z0 + tz - DEEP // 2
        if STRIPES > 1:
            z = ry % STRIPES * STRIPES + rx % STRIPES
        box = x.load([b, z, h0 + ry // STRIPES - AHEAD, w0 + rx // STRIPES - AHEAD, k])
        samples = box.reshape(ALL, TILE[4])
        row = (base + tap) * SHARE + n0
        first = tl.dot(samples, weight.load([row, k]).T, first)
        if SECOND > 1:
            second = tl.dot(samples, second_weight.load([row + LAYOUT[1], k]).T, second)
    return first, second


@triton.jit
def convolve(
    x, weight, second_weight, phases, bias, other, moments, out, H, W, planes, out_width,
    TILE: tl.constexpr, PHASES: tl.constexpr, STRIPES: tl.constexpr, WIDTH: tl.constexpr,
    N: tl.constexpr, EXTRA: tl.constexpr, DEEP: tl.constexpr, MODULATES: tl.constexpr, ADDS: tl.constexpr,
    PARTS: tl.constexpr, UP: tl.constexpr, SLOPE: tl.constexpr, APART: tl.constexpr,
    STAGES: tl.constexpr,
):  # fmt: skip
    """Write one tile: planes x rows x columns x output channels of one phase.

    EXTRA: output channels beyond N, which is a power of 2 then and one tile.
    MODULATES: the second half of the weights makes an offset, and the first a gain, of `other`
    normalised by `moments` and repeated UP times. ADDS: `other` is added. APART: phases go to
    planes of their own; else they interleave.
    """
    b, z0, h0, w0, n_tile, phase = _position(
        tl.program_id(0), H, W, planes, TILE, PHASES, N // TILE[3]
    )
    y_phase, x_phase = phases + phase // PHASES * 2, phases + phase % PHASES * 2
    rows = (tl.load(y_phase), tl.load(y_phase + 1), tl.load(x_phase), tl.load(x_phase + 1))
    base = tl.load(phases + 2 * PHASES + phase)
    SECOND: tl.constexpr = TILE[3] if MODULATES else EXTRA + 1 - (EXTRA > 0)
    SHARE: tl.constexpr = 2 * N if MODULATES else N + EXTRA
    gain, offset = _summed(
        x, weight, second_weight, rows, base, (b, z0, h0, w0), n_tile * TILE[3],
        TILE, WIDTH, SECOND, SHARE, DEEP, STRIPES, (STAGES, N),
    )  # fmt: skip
    m = tl.arange(0, TILE[0] * TILE[1] * TILE[2])
    z = z0 + m // (TILE[1] * TILE[2])
    h = h0 + m // TILE[2] % TILE[1]
    w = w0 + m % TILE[2]
    columns = n_tile * TILE[3] + tl.arange(0, TILE[3])
    y = gain + tl.load(bias + columns)[None, :]
    oy, ox = h * PHASES + phase // PHASES, w * PHASES + phase % PHASES
    pixel = (((b * planes + z) * H * PHASES) + oy) * (W * PHASES) + ox
    if MODULATES:
        low = (b * (H * PHASES // UP) + oy // UP) * (W * PHASES // UP) + ox // UP
        seen = tl.load(other + low[:, None].to(tl.int64) * N + columns[None, :]).to(tl.float32)
        seen = _normalised(seen, moments, b, columns, N, PARTS)
        y = y * seen + (offset + tl.load(bias + N + columns)[None, :])
    if ADDS:
        y += tl.load(other + pixel[:, None].to(tl.int64) * N + columns[None, :]).to(tl.float32)
    if SLOPE < 1:
        y = tl.where(y > 0, y, y * SLOPE)
    if APART:
        pixel = ((b * PHASES * PHASES + phase) * H + h) * W + w
    row = out + pixel[:, None].to(tl.int64) * out_width
    tl.store(row + columns[None, :], y.to(out.dtype.element_ty))
    if EXTRA > 0:
        columns = N + tl.arange(0, EXTRA)
        y = offset + tl.load(bias + columns)[None, :]
        if SLOPE < 1:
            y = tl.where(y > 0, y, y * SLOPE)
        tl.store(row + columns[None, :], y.to(out.dtype.element_ty))
