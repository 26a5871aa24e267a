"""Squares of an image that are searched one by one for faces too small for the whole.

H/W pixels.
"""

from collections.abc import Iterator

TILE_PX = 512
"""The full-range detector finds faces down to 1/13 of what it sees, here 40 px, and most down to
1/16."""

SHARED_PX = 128
"""What neighbours share at least, so that a face of this size lies whole in one of them; larger
ones are found in the whole image, or in a copy of it."""


def tiles(height: int, width: int) -> Iterator[tuple[int, int]]:
    """Yield the left and top corner, px, of squares of `TILE_PX` that cover an image.

    Evenly spread, row by row; where the image is smaller, the squares reach beyond it.
    """
    for top in _starts(height):
        for left in _starts(width):
            yield left, top


def _starts(length: int) -> list[int]:
    room = max(0, length - TILE_PX)
    steps = -(-room // (TILE_PX - SHARED_PX))
    return [room * step // max(1, steps) for step in range(steps + 1)]
