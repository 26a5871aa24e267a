"""The search finds the limit, whatever it is, in few tries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bench.capacity import CLOSE, most_per_s, most_streams


@given(limit=st.integers(0, 100), most=st.integers(1, 64))
async def test_the_most_streams_are_found_exactly(limit: int, most: int) -> None:
    tried: list[float] = []

    async def holds(streams: float) -> bool:
        tried.append(streams)
        return streams <= limit

    assert await most_streams(holds, most) == min(limit, most)
    assert len(tried) == len(set(tried)) <= 14
    assert max(tried) <= most


@given(limit=st.floats(0.5, 500), most=st.floats(2, 400))
async def test_the_highest_rate_is_found_within_a_factor(limit: float, most: float) -> None:
    tried: list[float] = []

    async def holds(per_s: float) -> bool:
        tried.append(per_s)
        return per_s <= limit

    found = await most_per_s(holds, 1.0, most)
    if limit < 1:
        assert found == 0
    elif limit >= most:
        assert found == most
    else:
        assert found <= limit <= found * CLOSE
    assert len(tried) <= 20
    assert max(tried) <= most


async def test_a_server_that_holds_nothing_is_asked_once() -> None:
    tried: list[float] = []

    async def holds(load: float) -> bool:
        tried.append(load)
        return False

    assert await most_streams(holds, 64) == await most_per_s(holds, 1.0, 400) == 0
    assert tried == pytest.approx([1, 1])
