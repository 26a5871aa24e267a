import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from app.runtime.buckets import BUCKETS, bucket_of, cut, padded


@pytest.mark.parametrize(
    ("frames", "bucket"),
    [(1, 1), (2, 4), (4, 4), (5, 8), (8, 8), (9, 16), (16, 16), (17, 32), (32, 32)],
)
def test_the_smallest_bucket_that_holds_the_frames(frames: int, bucket: int) -> None:
    assert bucket_of(frames) == bucket


@pytest.mark.parametrize("frames", [0, 33])
def test_no_bucket_holds_nothing_or_more_than_the_largest(frames: int) -> None:
    with pytest.raises(ValueError, match=f"for {frames} frames"):
        bucket_of(frames)


@given(st.integers(0, 200), st.integers(1, 40))
def test_slices_cover_every_frame_once_in_order(frames: int, largest: int) -> None:
    slices = cut(frames, largest)
    assert [i for part in slices for i in range(frames)[part]] == list(range(frames))
    assert all(len(range(frames)[part]) == largest for part in slices[:-1])


@given(st.integers(1, 32))
def test_padding_repeats_the_last_frame(frames: int) -> None:
    batch = torch.arange(frames * 6).reshape(frames, 2, 3)
    size = bucket_of(frames)
    full = padded(batch, size)
    assert full.shape == (size, 2, 3)
    assert (full[:frames] == batch).all()
    assert (full[frames:] == batch[-1]).all()


def test_a_full_batch_is_not_copied() -> None:
    batch = torch.zeros(BUCKETS[-1], 3)
    assert padded(batch, BUCKETS[-1]) is batch
