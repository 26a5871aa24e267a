"""Calls of deployments, over fakes of Ray's responses."""

import asyncio
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import pytest
from ray.serve.exceptions import BackPressureError

from app.errors import DeadlineExceeded, NoFace, OverCapacity
from app.serving.calls import call


@dataclass
class FakeMethod:
    """A handle's method whose response answers, raises or never comes."""

    answer: object = None
    delay_s: float = 0.0
    cancelled: int = 0

    def remote(self, *args: object) -> "FakeMethod":
        return self

    def __await__(self) -> Generator[Any, None, object]:
        yield from asyncio.sleep(self.delay_s).__await__()
        if isinstance(self.answer, BaseException) and not isinstance(self.answer, NoFace):
            raise self.answer
        return self.answer

    def cancel(self) -> None:
        self.cancelled += 1


async def test_the_answer_comes_back() -> None:
    assert await call(FakeMethod(answer=7), 1, deadline_s=1) == 7


async def test_an_exception_as_an_item_of_a_batch_is_raised() -> None:
    with pytest.raises(NoFace):
        await call(FakeMethod(answer=NoFace("none")), deadline_s=1)


async def test_a_full_queue_is_over_capacity() -> None:
    error = BackPressureError(num_queued_requests=3, max_queued_requests=3)
    with pytest.raises(OverCapacity):
        await call(FakeMethod(answer=error), deadline_s=1)


async def test_the_deadline_cancels_the_remote_work() -> None:
    method = FakeMethod(delay_s=30)
    with pytest.raises(DeadlineExceeded):
        await call(method, deadline_s=0.01)
    assert method.cancelled == 1


async def test_a_second_try_has_what_the_first_one_left() -> None:
    with pytest.raises(DeadlineExceeded, match="within 60 s"):
        await call(FakeMethod(delay_s=30), deadline_s=60, spent_s=59.99)


async def test_a_cancelled_caller_cancels_the_remote_work() -> None:
    method = FakeMethod(delay_s=30)
    task = asyncio.create_task(call(method, deadline_s=60))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert method.cancelled == 1
