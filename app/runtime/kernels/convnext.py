"""ConvNeXt's steps between matrix products; B images, H rows, W columns, C channels, last."""

import triton
import triton.language as tl


@triton.jit
def _normed(total, gamma, beta, C: tl.constexpr, WIDE: tl.constexpr, EPSILON: tl.constexpr):
    """Return the layer norm over channels of (PIXELS, WIDE), of which C are real."""
    c = tl.arange(0, WIDE)
    real = c < C
    mean = tl.sum(total, 1) / C
    away = tl.where(real[None, :], total - mean[:, None], 0.0)
    scale = tl.rsqrt(tl.sum(away * away, 1) / C + EPSILON)
    y = away * scale[:, None] * tl.load(gamma + c, mask=real, other=0.0)[None, :]
    return y + tl.load(beta + c, mask=real, other=0.0)[None, :]


@triton.jit
def depthwise_norm(
    x, border, weight, gamma, beta, out, H, W,
    C: tl.constexpr, WIDE: tl.constexpr, ROWS: tl.constexpr, PIXELS: tl.constexpr,
    EPSILON: tl.constexpr,
):  # fmt: skip
    """Write the layer norm of a 7 x 7 depthwise convolution of x, and what a border adds.

    A program writes PIXELS columns of ROWS rows, so that a sample is fetched once for all rows that
    read it; the kernel is bound by fetches and not by products.

    Args:
        x: (B, H, W, C).
        border: (7, 7, C) float32, for the first three rows, those between, and the last three;
            columns alike.
        weight: (49, C).
        gamma: (C,) float32.
        beta: (C,) float32.
        out: (B H W, C).
        H: rows, at least 7; ROWS divides them.
        W: columns, likewise; PIXELS divides them.
        C: channels.
        WIDE: the next power of 2.
        ROWS: of a program.
        PIXELS: of each row.
        EPSILON: of the norm.
    """
    tile = tl.program_id(0)
    w = tile % (W // PIXELS) * PIXELS + tl.arange(0, PIXELS)
    row = tile // (W // PIXELS) * ROWS
    h = row % H
    c = tl.arange(0, WIDE)
    real = c < C
    column_kind = tl.minimum(w, 3) + tl.maximum(w - (W - 4), 0)
    totals = ()
    for i in tl.static_range(ROWS):
        row_kind = tl.minimum(h + i, 3) + tl.maximum(h + i - (H - 4), 0)
        kind = row_kind * 7 + column_kind
        added = tl.load(border + kind[:, None] * C + c[None, :], mask=real[None, :], other=0.0)
        totals = totals + (added,)
    for dx in range(7):
        wide = w + dx - 3
        inside = ((wide >= 0) & (wide < W))[:, None] & real[None, :]
        taps = ()
        for dy in tl.static_range(7):
            tap = tl.load(weight + (dy * 7 + dx) * C + c, mask=real, other=0.0)
            taps = taps + (tap.to(tl.float32)[None, :],)
        for high in tl.static_range(ROWS + 6):
            here = inside & (h + high >= 3) & (h + high < H + 3)
            place = ((row + high - 3) * W + wide)[:, None] * C + c[None, :]
            value = tl.load(x + place, mask=here, other=0.0).to(tl.float32)
            summed = ()
            for i in tl.static_range(ROWS):
                total = totals[i]
                if i <= high and high < i + 7:
                    total += value * taps[high - i]
                summed = summed + (total,)
            totals = summed
    for i in tl.static_range(ROWS):
        y = _normed(totals[i], gamma, beta, C, WIDE, EPSILON)
        place = ((row + i) * W + w)[:, None] * C + c[None, :]
        tl.store(out + place, y.to(out.dtype.element_ty), mask=real[None, :])


@triton.jit
def gelu_energy(x, energy, samples, C, PARTS: tl.constexpr, ROWS: tl.constexpr):
    """Write gelu(x) over x, and the sum of its squares per part of an image and channel.

    Args:
        x: (B, samples, C).
        energy: (B, PARTS, C) float32.
        samples: of an image.
        C: channels, a multiple of 128.
        PARTS: that an image is cut into.
        ROWS: samples read at a time; PARTS * ROWS divides `samples`.
    """
    b, part = tl.program_id(0), tl.program_id(1)
    c = tl.program_id(2) * 128 + tl.arange(0, 128)
    total = tl.zeros((128,), tl.float32)
    for i in range(samples // PARTS // ROWS):
        row = b * samples + part * (samples // PARTS) + i * ROWS + tl.arange(0, ROWS)
        place = x + row[:, None].to(tl.int64) * C + c[None, :]
        value = tl.load(place).to(tl.float32)
        value = 0.5 * value * (1 + tl.erf(value * 0.7071067811865476))
        total += tl.sum(value * value, 0)
        tl.store(place, value.to(x.dtype.element_ty))
    tl.store(energy + (b * PARTS + part) * C + c, total)


@triton.jit
def response(
    energy, gamma, gain, C: tl.constexpr, WIDE: tl.constexpr, PARTS: tl.constexpr,
    EPSILON: tl.constexpr,
):  # fmt: skip
    """Write 1 + gamma * norm / mean norm of every channel of an image: (B, C) float32."""
    b = tl.program_id(0)
    c = tl.arange(0, WIDE)
    real = c < C
    row = (b * PARTS + tl.arange(0, PARTS)) * C
    place = energy + row[:, None] + c[None, :]
    norm = tl.sqrt(tl.sum(tl.load(place, mask=real[None, :], other=0.0), 0))
    share = norm / (tl.sum(norm, 0) / C + EPSILON)
    value = 1 + tl.load(gamma + c, mask=real, other=0.0) * share
    tl.store(gain + b * C + c, value, mask=real)


@triton.jit
def scale(x, gain, samples, C, ROWS: tl.constexpr):
    """Write x * gain over x (B, samples, C); gain (B, C) float32."""
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    c = tl.program_id(1) * 128 + tl.arange(0, 128)
    b = tl.program_id(0) * ROWS // samples
    place = x + row[:, None].to(tl.int64) * C + c[None, :]
    value = tl.load(place).to(tl.float32) * tl.load(gain + b * C + c)[None, :]
    tl.store(place, value.to(x.dtype.element_ty))
