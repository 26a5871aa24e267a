"""Mean and variance of every channel of every image, in parts that the reader joins."""

import triton
import triton.language as tl


@triton.jit
def moments(x, out, samples, N, PARTS: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """Write the mean and the mean square distance from it of one part of an image's samples.

    Args:
        x: (B, samples, N), channels last.
        out: (B, PARTS, 2, N) float32.
        samples: of an image.
        N: channels.
        PARTS: that an image is cut into.
        ROWS: samples read at a time; PARTS * ROWS divides `samples`.
        COLUMNS: channels of a program; it divides N.
    """
    b, part = tl.program_id(0), tl.program_id(1)
    columns = tl.program_id(2) * COLUMNS + tl.arange(0, COLUMNS)
    rows = part * (samples // PARTS) + tl.arange(0, ROWS)
    mean = tl.zeros((COLUMNS,), tl.float32)
    square = tl.zeros((COLUMNS,), tl.float32)
    steps = samples // PARTS // ROWS
    for i in range(steps):
        row = (b * samples + rows + i * ROWS).to(tl.int64)
        value = tl.load(x + row[:, None] * N + columns[None, :]).to(tl.float32)
        own = tl.sum(value, 0) / ROWS
        away = value - own[None, :]
        step = own - mean
        square += tl.sum(away * away, 0) / ROWS + step * step * i / (i + 1)
        mean += step / (i + 1)
    place = out + (b * PARTS + part) * 2 * N + columns
    tl.store(place, mean)
    tl.store(place + N, square / steps)
