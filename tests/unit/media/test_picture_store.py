"""Pictures that are kept as JPEG come back almost as they were, and take bounded memory."""

import numpy as np

from app.media.picture_store import PictureStore
from tests.unit.media.videos import barred, index_of


def test_a_picture_comes_back_in_its_colours() -> None:
    store = PictureStore(1_000_000)
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:] = (200, 90, 30)
    store.put(7, picture)
    assert 7 in store
    assert 6 not in store
    assert store.picture(7).shape == picture.shape
    assert np.abs(store.picture(7).astype(int) - picture).max() <= 3


def test_the_oldest_pictures_make_room() -> None:
    store = PictureStore(20_000)
    assert store.room == 0
    for rank in range(100):
        store.put(rank, barred(rank))
        store.put(rank, barred(0))  # is kept already
    kept = [rank for rank in range(100) if rank in store]
    assert kept == list(range(kept[0], 100))
    assert 5 < len(kept) < 100
    assert abs(store.room - len(kept)) <= 2
    assert all(index_of(store.picture(rank)) == rank for rank in kept)
    store.clear()
    assert 99 not in store
    assert store.room == 0
