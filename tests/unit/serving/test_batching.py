"""One bad item of a batch fails alone, and nobody is stranded."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from app.errors import NoFace
from app.serving.batching import run_batch


def invert(items: Sequence[int]) -> list[float]:
    if 0 in items:
        raise NoFace("zero")
    return [1 / item for item in items]


async def test_answers_keep_their_order() -> None:
    with ThreadPoolExecutor(1) as executor:
        assert await run_batch(executor, invert, [1, 2, 4]) == [1.0, 0.5, 0.25]


async def test_a_bad_item_fails_alone() -> None:
    with ThreadPoolExecutor(1) as executor:
        good, bad, also_good = await run_batch(executor, invert, [1, 0, 4])
    assert (good, also_good) == (1.0, 0.25)
    assert isinstance(bad, NoFace)
