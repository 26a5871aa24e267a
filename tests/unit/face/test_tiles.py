from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.face.tiles import SHARED_PX, TILE_PX, tiles


@given(st.integers(1, 3000), st.integers(1, 3000))
def test_tiles_cover_an_image_and_stay_inside(height: int, width: int) -> None:
    seen = np.zeros((height, width), bool)
    for left, top in tiles(height, width):
        assert left == 0 or left + TILE_PX <= width
        assert top == 0 or top + TILE_PX <= height
        seen[top : top + TILE_PX, left : left + TILE_PX] = True
    assert seen.all()


@given(st.integers(513, 9000))
def test_a_small_face_anywhere_lies_whole_in_some_tile(width: int) -> None:
    lefts = [left for left, _ in tiles(1, width)]
    overlaps = [a + TILE_PX - b for a, b in pairwise(lefts)]
    assert min(overlaps) >= SHARED_PX


def test_a_small_image_is_one_tile() -> None:
    assert list(tiles(512, 300)) == [(0, 0)]
    assert len(list(tiles(720, 1280))) == 6
