"""What the metrics' definitions promise."""

from itertools import pairwise

from app.observability.metrics import BATCH_CALLS


def test_numbers_of_calls_lie_in_the_middle_of_their_buckets() -> None:
    # What Ray exports as the sum of a histogram is then the number of calls.
    middles = {(low + high) / 2 for low, high in pairwise(BATCH_CALLS.buckets)}
    assert middles == set(range(1, 33))
