"""Dense motion around its convolutions: hints before them, mixing and warping after.

B frames, D planes, H rows, W columns, C channels, M motions; channels last.
"""

import triton
import triton.language as tl


@triton.jit
def _shifted(volume, b, x, y, z, D, H, W, channel, C: tl.constexpr):
    """Return one channel of a volume (B, D, H, W, C) at places in samples: trilinear, 0 outside."""
    x0, y0, z0 = tl.floor(x), tl.floor(y), tl.floor(z)
    total = tl.zeros_like(x)
    for corner in tl.static_range(8):
        cx, cy, cz = x0 + corner % 2, y0 + corner // 2 % 2, z0 + corner // 4
        share = (1 - tl.abs(x - cx)) * (1 - tl.abs(y - cy)) * (1 - tl.abs(z - cz))
        inside = (cx >= 0) & (cx < W) & (cy >= 0) & (cy < H) & (cz >= 0) & (cz < D)
        place = ((b * D + cz.to(tl.int32)) * H + cy.to(tl.int32)) * W + cx.to(tl.int32)
        value = tl.load(volume + place * C + channel, mask=inside, other=0.0)
        total += value.to(tl.float32) * share
    return total


@triton.jit
def hints(
    volume, source, driving, out, D, H, W,
    M: tl.constexpr, C: tl.constexpr, WIDTH: tl.constexpr, OFFSET: tl.constexpr,
    COLUMNS: tl.constexpr,
):  # fmt: skip
    """Write the heat map of every motion, then each channel as every motion sees it.

    Args:
        volume: (B, D, H, W, C), compressed.
        source: (B, M - 1, 3) float32.
        driving: likewise.
        out: (B, D, H, W, WIDTH); from channel OFFSET on: heat (M), then C times M.
        D: planes.
        H: rows.
        W: columns.
        M: motions; the first stands still.
        C: channels of the volume.
        WIDTH: channels of `out`.
        OFFSET: first channel written.
        COLUMNS: samples of a program, in one row.
    """
    tile = tl.program_id(0)
    w = tile % (W // COLUMNS) * COLUMNS + tl.arange(0, COLUMNS)
    tile = tile // (W // COLUMNS)
    h, z, b = tile % H, tile // H % D, tile // (H * D)
    m = tl.arange(0, 32)
    point = (b * (M - 1) + m - 1) * 3
    moves = (m > 0) & (m < M)
    there = (w * 2.0 / (W - 1) - 1, h * 2.0 / (H - 1) - 1, z * 2.0 / (D - 1) - 1)
    sx = tl.load(source + point, mask=moves, other=0.0)
    sy = tl.load(source + point + 1, mask=moves, other=0.0)
    sz = tl.load(source + point + 2, mask=moves, other=0.0)
    dx = tl.load(driving + point, mask=moves, other=0.0)
    dy = tl.load(driving + point + 1, mask=moves, other=0.0)
    dz = tl.load(driving + point + 2, mask=moves, other=0.0)
    x = there[0][:, None]
    ny, nz = there[1] - dy, there[2] - dz
    near = (x - dx) * (x - dx) + (ny * ny + nz * nz)
    fy, fz = there[1] - sy, there[2] - sz
    far = (x - sx) * (x - sx) + (fy * fy + fz * fz)
    heat = tl.where(moves, tl.exp(-50.0 * near) - tl.exp(-50.0 * far), 0.0)
    pixel = ((b * D + z) * H + h) * W + w
    place = out + pixel[:, None].to(tl.int64) * WIDTH + OFFSET + m[None, :]
    kept = (m < M)[None, :] & (w < W)[:, None]
    tl.store(place, heat.to(out.dtype.element_ty), mask=kept)
    px = ((x + (sx - dx) + 1) * W - 1) * 0.5
    py = tl.zeros_like(px) + ((there[1] + (sy - dy) + 1) * H - 1) * 0.5
    pz = tl.zeros_like(px) + ((there[2] + (sz - dz) + 1) * D - 1) * 0.5
    for c in tl.static_range(C):
        seen = _shifted(volume, b, px, py, pz, D, H, W, c, C)
        tl.store(place + (c + 1) * M, seen.to(out.dtype.element_ty), mask=kept)
    rest = (OFFSET + (C + 1) * M + m < WIDTH)[None, :] & (w < W)[:, None]
    tl.store(place + (C + 1) * M, tl.zeros_like(heat).to(out.dtype.element_ty), mask=rest)


@triton.jit
def mix(
    slices, bias, source, driving, places, D, H, W,
    M: tl.constexpr, TAPS: tl.constexpr, WIDTH: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Write the deformation: a softmax over motions, and the mean shift by it.

    Args:
        slices: (B, D, H, W, WIDTH): per depth tap the mask's logits of M motions, to be added up
            over depth.
        bias: (M,) float32.
        source: (B, M - 1, 3) float32.
        driving: likewise.
        places: (B, D, H, W, 3) float32 x, y, z in samples of the volume.
        D: planes.
        H: rows.
        W: columns.
        M: motions.
        TAPS: of depth.
        WIDTH: channels of `slices`.
        COLUMNS: samples of a program, in one row.
    """
    tile = tl.program_id(0)
    w = tile % (W // COLUMNS) * COLUMNS + tl.arange(0, COLUMNS)
    tile = tile // (W // COLUMNS)
    h, z, b = tile % H, tile // H % D, tile // (H * D)
    m = tl.arange(0, 32)
    start = tl.load(bias + m, mask=m < M, other=-1e30)
    logits = tl.zeros((COLUMNS, 32), tl.float32) + start[None, :]
    for tap in tl.static_range(TAPS):
        depth = z + tap - TAPS // 2
        pixel = ((b * D + depth) * H + h) * W + w
        here = (m < M)[None, :] & (depth >= 0) & (depth < D)
        place = slices + pixel[:, None].to(tl.int64) * WIDTH + tap * M + m[None, :]
        logits += tl.load(place, mask=here, other=0.0).to(tl.float32)
    share = tl.exp(logits - tl.max(logits, 1)[:, None])
    share = share / tl.sum(share, 1)[:, None]
    point = (b * (M - 1) + m - 1) * 3
    moves = (m > 0) & (m < M)
    to = places + (((b * D + z) * H + h) * W + w).to(tl.int64) * 3
    for axis in tl.static_range(3):
        shift = tl.load(source + point + axis, mask=moves, other=0.0)
        shift -= tl.load(driving + point + axis, mask=moves, other=0.0)
        mean = tl.sum(share * shift[None, :], 1)
        size = W
        at = w
        if axis == 1:
            size = H
            at = w * 0 + h
        if axis == 2:
            size = D
            at = w * 0 + z
        tl.store(to + axis, ((at * 2.0 / (size - 1) + mean) * size - 1) * 0.5)


@triton.jit
def warp(volume, places, out, D, H, W, C: tl.constexpr, COLUMNS: tl.constexpr):
    """Write the volume at the places, its planes one after the other: (B, H, W, D * C)."""
    tile = tl.program_id(0)
    w = tile % (W // COLUMNS) * COLUMNS + tl.arange(0, COLUMNS)
    tile = tile // (W // COLUMNS)
    h, z, b = tile % H, tile // H % D, tile // (H * D)
    place = places + (((b * D + z) * H + h) * W + w)[:, None].to(tl.int64) * 3
    c = tl.arange(0, C)[None, :]
    zero = tl.zeros((COLUMNS, C), tl.float32)
    x = tl.load(place) + zero
    y = tl.load(place + 1) + zero
    deep = tl.load(place + 2) + zero
    seen = _shifted(volume, b, x, y, deep, D, H, W, c, C)
    pixel = ((b * H + h) * W + w)[:, None].to(tl.int64)
    tl.store(out + pixel * (D * C) + z * C + c, seen.to(out.dtype.element_ty))


@triton.jit
def rectify_pool(x, bias, out, kept, H, W, kept_width, C: tl.constexpr, ROWS: tl.constexpr):
    """Write the mean of 2 x 2 samples of relu(x + bias), to two places.

    Args:
        x: (B D, H, W, C).
        bias: (C,) float32.
        out: (B D, H / 2, W / 2, C).
        kept: (B D, H / 2, W / 2, kept_width), from its own first channel on.
        H: rows.
        W: columns.
        kept_width: channels between samples of `kept`.
        C: channels.
        ROWS: samples of a program, in one row of the output.
    """
    row = tl.program_id(0)
    w = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    here = (w < W // 2)[:, None]
    c = tl.arange(0, C)[None, :]
    add = tl.load(bias + c)
    total = tl.zeros((ROWS, C), tl.float32)
    for corner in tl.static_range(4):
        pixel = (row * 2 + corner // 2) * W + w * 2 + corner % 2
        value = tl.load(x + pixel[:, None].to(tl.int64) * C + c, mask=here, other=0.0)
        total += tl.maximum(value.to(tl.float32) + add, 0.0)
    mean = (total * 0.25).to(out.dtype.element_ty)
    pixel = (row * (W // 2) + w)[:, None].to(tl.int64)
    tl.store(out + pixel * C + c, mean, mask=here)
    tl.store(kept + pixel * kept_width + c, mean, mask=here)


@triton.jit
def rectify_interleave(x, bias, out, H, W, out_width, C: tl.constexpr, ROWS: tl.constexpr):
    """Write relu(x + bias) of four phases, interleaved; see `blocks.interleave`.

    Args:
        x: (B D, H + 1, W + 1, 4 C), channels ordered as (2, 2, C).
        bias: (C,) float32.
        out: (B D, 2 H, 2 W, out_width), from its own first channel on.
        H: rows.
        W: columns.
        out_width: channels between samples of `out`.
        C: channels.
        ROWS: samples of a program, in one row of the output.
    """
    row = tl.program_id(0)
    h, image = row % (2 * H), row // (2 * H)
    w = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    here = (w < 2 * W)[:, None]
    c = tl.arange(0, C)[None, :]
    pixel = (image * (H + 1) + (h + 1) // 2) * (W + 1) + (w + 1) // 2
    phase = (h + 1) % 2 * 2 + (w + 1) % 2
    place = pixel[:, None].to(tl.int64) * (4 * C) + phase[:, None] * C + c
    value = tl.load(x + place, mask=here, other=0.0).to(tl.float32)
    value = tl.maximum(value + tl.load(bias + c), 0.0)
    to = (row * 2 * W + w)[:, None].to(tl.int64) * out_width
    tl.store(out + to + c, value.to(out.dtype.element_ty), mask=here)


@triton.jit
def gather(taps, bias, out, H, W, SIDE: tl.constexpr, WIDTH: tl.constexpr, COLUMNS: tl.constexpr):
    """Write the sigmoid of the sum of shifted planes: (B, H, W).

    Args:
        taps: (B, H, W, WIDTH) float32, plane SIDE i + j to be seen i - SIDE // 2 rows and
            j - SIDE // 2 columns further.
        bias: (1,) float32.
        out: (B, H, W).
        H: rows.
        W: columns.
        SIDE: of the window.
        WIDTH: channels of `taps`.
        COLUMNS: samples of a program.
    """
    row = tl.program_id(0)
    h = row % H
    w = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    total = tl.zeros((COLUMNS,), tl.float32) + tl.load(bias)
    for tap in tl.static_range(SIDE * SIDE):
        dy, dx = tap // SIDE - SIDE // 2, tap % SIDE - SIDE // 2
        here = (h + dy >= 0) & (h + dy < H) & (w + dx >= 0) & (w + dx < W)
        place = ((row + dy) * W + w + dx).to(tl.int64) * WIDTH + tap
        total += tl.load(taps + place, mask=here, other=0.0)
    tl.store(out + row * W + w, (1 / (1 + tl.exp(-total))).to(out.dtype.element_ty))
