"""What runs beneath `@serve.batch`: blocking work off the event loop, one bad item alone."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from app.errors import DeadlineExceeded

Item = TypeVar("Item")
Answer = TypeVar("Answer")

logger = logging.getLogger(__name__)


async def run_batch(
    executor: ThreadPoolExecutor,
    work: Callable[[Sequence[Item]], list[Answer]],
    items: Sequence[Item],
) -> list[Answer | Exception]:
    """Return one answer, or one exception as a value, per item.

    `@serve.batch` hands an exception of the batch to every caller, so when the items fail
    together each is tried alone. A `CancelledError` that left here would strand the callers.

    Args:
        executor: one thread, so that the replica's event loop stays free and a GPU is used
            from one thread only.
        work: maps n items to n answers; blocking.
        items: what the callers sent.
    """
    loop = asyncio.get_running_loop()
    try:
        return list(await loop.run_in_executor(executor, work, items))
    except asyncio.CancelledError:
        return [DeadlineExceeded("The replica is stopping.", "Try again.") for _ in items]
    except Exception as error:
        if len(items) == 1:
            logger.warning("An item of a batch failed.", exc_info=error)
            return [error]
    alone = [await run_batch(executor, work, [item]) for item in items]
    return [answer for (answer,) in alone]
