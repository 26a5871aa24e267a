"""What runs beneath `@serve.batch`: one slot that joins whatever waits when it gets free.

`@serve.batch` collects while nothing runs; what arrives during a run it cuts into batches of one
that queue behind it, exactly when load is high. So it hands on at once (wait 0, many concurrent
batches), and calls are joined here, where it is known when the engine is free.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")

CONCURRENT_BATCHES = 32
"""Batches that `@serve.batch` may have under way; they meet in the slot."""

logger = logging.getLogger(__name__)


class Slot(Generic[Item, Answer]):
    """Runs items, several at a time, one run after the other, on a thread of its own.

    Args:
        work: maps n items to n answers; blocking.
        max_items: most items of one run.
        name: of the thread.

    Attributes:
        runs: how many items each of the latest runs joined, newest last.
    """

    def __init__(
        self, work: Callable[[Sequence[Item]], list[Answer]], max_items: int, name: str
    ) -> None:
        self._work = work
        self._max_items = max_items
        # One thread: the replica's event loop stays free, and a GPU is used from one thread only.
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._waiting: deque[tuple[Item, asyncio.Future[Answer | Exception]]] = deque()
        self._runner: asyncio.Task[None] | None = None
        self.runs: deque[int] = deque(maxlen=64)

    async def submit(self, items: Sequence[Item]) -> list[Answer | Exception]:
        """Return one answer, or one exception as a value, per item.

        An exception as a value, because `@serve.batch` would hand a raised one to every caller
        of the batch. Items whose caller is cancelled before their run starts are dropped.
        """
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[Answer | Exception]] = [loop.create_future() for _ in items]
        self._waiting.extend(zip(items, futures, strict=True))
        if self._runner is None:
            self._runner = loop.create_task(self._run())
        return await asyncio.gather(*futures)

    async def _run(self) -> None:
        """Run what waits until nothing waits."""
        while self._waiting:
            batch: list[tuple[Item, asyncio.Future[Answer | Exception]]] = []
            while self._waiting and len(batch) < self._max_items:
                item, future = self._waiting.popleft()
                if not future.done():
                    batch.append((item, future))
            if not batch:
                continue
            self.runs.append(len(batch))
            answers = await self._answers([item for item, _ in batch])
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():
                    future.set_result(answer)
        self._runner = None

    async def _answers(self, items: list[Item]) -> list[Answer | Exception]:
        """Return the answers of one run; items that fail together are tried one by one."""
        loop = asyncio.get_running_loop()
        try:
            return list(await loop.run_in_executor(self._executor, self._work, items))
        except Exception as error:
            if len(items) == 1:
                logger.warning("An item of a batch failed.", exc_info=error)
                return [error]
        alone = [await self._answers([item]) for item in items]
        return [answer for (answer,) in alone]
