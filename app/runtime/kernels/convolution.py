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
def _rows(y_phase, x_phase):
    """Return a phase's first row and how many follow, then its columns alike."""
    return tl.load(y_phase), tl.load(y_phase + 1), tl.load(x_phase), tl.load(x_phase + 1)


@triton.jit
def _normalised(x, moments, b, columns, N: tl.constexpr, PARTS: tl.constexpr):
    """Return x (FIRST, ALL) by the mean and variance that `moments` has in parts."""
    parts = moments + (b * PARTS + tl.arange(0, PARTS)[:, None]) * 2 * N + columns[None, :]
    means = tl.load(parts)
    mean = tl.sum(means, 0) / PARTS
    away = means - mean[None, :]
    variance = tl.sum(tl.load(parts + N) + away * away, 0) / PARTS
    return (x - mean[:, None]) * tl.rsqrt(variance + 1e-5)[:, None]


@triton.jit
def _summed(
    x, weight, second_weight, rows, base, place, n0,
    ALL: tl.constexpr, FIRST: tl.constexpr, SECOND: tl.constexpr, FURTHER: tl.constexpr,
    STEP: tl.constexpr, STEPS: tl.constexpr, SHARE: tl.constexpr, DEEP: tl.constexpr,
    AREA: tl.constexpr, STRIPES: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """Return the sums over all taps and channels, in float32: (FIRST, ALL) and (SECOND, ALL).

    The second are those of the rows of weights that lie FURTHER; SECOND may be 0.
    The weights are the left side of the products: there, samples that were fetched as a box of
    rows and columns are multiplied from where they lie. As the left side they would go through
    registers, which Triton 3.6 fills again before the products before have read them.
    """
    sy, ny, sx, nx = rows
    b, z0, h0, w0 = place
    first = tl.zeros((FIRST, ALL), tl.float32)
    second = tl.zeros((SECOND if SECOND else 1, ALL if SECOND else 1), tl.float32)
    share = 65536 // nx + 1
    for i in tl.range(0, DEEP * ny * nx * STEPS, num_stages=STAGES):
        tap = i // STEPS
        k = i % STEPS * STEP
        tz = tap // AREA if DEEP > 1 else 0
        flat = tap - tz * AREA
        # A division by what is not known beforehand would take longer than a step's products.
        ty = (flat * share) >> 16
        ry = sy + ty + AHEAD * STRIPES
        rx = sx + (flat - ty * nx) + AHEAD * STRIPES
        z = z0 + tz - DEEP // 2
        if STRIPES > 1:
            z = ry % STRIPES * STRIPES + rx % STRIPES
        box = x.load([b, z, h0 + ry // STRIPES - AHEAD, w0 + rx // STRIPES - AHEAD, k])
        samples = box.reshape(ALL, STEP).T
        row = (base + tap) * SHARE + n0
        first = tl.dot(weight.load([row, k]), samples, first)
        if SECOND:
            second = tl.dot(second_weight.load([row + FURTHER, k]), samples, second)
    return first, second


@triton.jit
def _with_bias(sums, scale, bias, columns, real, SCALED: tl.constexpr):
    """Return sums (channels, ALL), multiplied where they are to be, and their bias."""
    if SCALED:
        sums *= tl.load(scale + columns, mask=real, other=0.0)[:, None]
    return sums + tl.load(bias + columns, mask=real, other=0.0)[:, None]


@triton.jit
def _seen(
    other, box, at, columns, W,
    HIGH: tl.constexpr, WIDE: tl.constexpr, FIRST: tl.constexpr, N: tl.constexpr,
    UP: tl.constexpr, BOXED: tl.constexpr,
):  # fmt: skip
    """Return the tile of `other` that lies under the result's, (FIRST, ALL) float32."""
    row, h0, w0, y_of, x_of = at
    if BOXED:
        first = tl.min(columns, 0)
        tile = box.load([row + h0, y_of // UP, w0, x_of // UP, first])
        seen = tile.reshape(HIGH * WIDE, FIRST).to(tl.float32)
    else:
        m = tl.arange(0, HIGH * WIDE)
        low = (row // UP + (h0 + m // WIDE) // UP) * (W // UP) + (w0 + m % WIDE) // UP
        place = other + low[:, None].to(tl.int64) * N + columns[None, :]
        seen = tl.load(place).to(tl.float32)
    return seen.T


@triton.jit
def _write(out, y, place, n0, SLOPE: tl.constexpr, HIGH: tl.constexpr, WIDE: tl.constexpr):
    """Write (channels, ALL) behind its rectifier; the copy engine drops what is outside."""
    if SLOPE < 1:
        y = tl.where(y > 0, y, y * SLOPE)
    row, y_of, w0, x_of = place
    out.store([row, y_of, w0, x_of, n0], y.to(out.dtype).T.reshape(HIGH, 1, WIDE, 1, y.shape[0]))


@triton.jit
def convolve(
    x, weight, second_weight, phases, scale, bias, other, seen_box, moments, out, rest_out,
    H, W, planes,
    HIGH: tl.constexpr, WIDE: tl.constexpr, FIRST: tl.constexpr, REST: tl.constexpr,
    STEP: tl.constexpr, PHASES: tl.constexpr, STRIPES: tl.constexpr, WIDTH: tl.constexpr,
    N: tl.constexpr, DEEP: tl.constexpr, AREA: tl.constexpr, MODULATES: tl.constexpr,
    ADDS: tl.constexpr, PARTS: tl.constexpr, UP: tl.constexpr, SLOPE: tl.constexpr,
    APART: tl.constexpr, BOXED: tl.constexpr, SCALED: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """Write one tile: HIGH rows x WIDE columns x FIRST output channels of one plane and phase.

    N: output channels. Where FIRST does not divide it, the last tile computes more, which is
    dropped; with REST, one tile computes FIRST + REST of them.
    AREA: taps per plane where there is one phase.
    out: seen as (images x planes x H, phases, W, phases, channels), so that a tile of one phase is
    a box. BOXED: `other` likewise.
    MODULATES: the second half of the weights makes an offset, and the first a gain, of `other`
    normalised by `moments` and repeated UP times. ADDS: `other` is added. APART: phases go to
    planes of their own; else they interleave. SCALED: sums are multiplied, by output channel.
    """
    ALL: tl.constexpr = HIGH * WIDE
    TILES: tl.constexpr = 1 if REST else (N + FIRST - 1) // FIRST
    tile = tl.program_id(0)
    b, z, h0, w0, n_tile, phase = _position(tile, H, W, planes, HIGH, WIDE, PHASES, TILES)
    y_of, x_of = phase // PHASES, phase % PHASES
    rows = _rows(phases + y_of * 2, phases + x_of * 2)
    base = tl.load(phases + 2 * PHASES + phase)
    gain, second = _summed(
        x, weight, second_weight, rows, base, (b, z, h0, w0), n_tile * FIRST, ALL, FIRST,
        FIRST if MODULATES else REST, N if MODULATES else FIRST, STEP, (WIDTH + STEP - 1) // STEP,
        2 * N if MODULATES else N, DEEP, AREA, STRIPES, STAGES,
    )  # fmt: skip
    columns = n_tile * FIRST + tl.arange(0, FIRST)
    y = _with_bias(gain, scale, bias, columns, columns < N, SCALED)
    row = (b * planes + z) * H
    if MODULATES or ADDS:
        at = (row, h0, w0, y_of, x_of)
        seen = _seen(other, seen_box, at, columns, W, HIGH, WIDE, FIRST, N, UP, BOXED)
        if MODULATES:
            seen = _normalised(seen, moments, b, columns, N, PARTS)
            y = y * seen + _with_bias(second, scale, bias, N + columns, columns < N, SCALED)
        else:
            y += seen
    if APART:
        row, y_of, x_of = (b * PHASES * PHASES + phase) * H, 0, 0
    place = (row + h0, y_of, w0, x_of)
    _write(out, y, place, n_tile * FIRST, SLOPE, HIGH, WIDE)
    if REST:
        columns = FIRST + tl.arange(0, REST)
        y = _with_bias(second, scale, bias, columns, columns < N, SCALED)
        _write(rest_out, y, place, FIRST, SLOPE, HIGH, WIDE)
