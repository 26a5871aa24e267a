"""Gives memory that is free within this process back to the system.

glibc keeps freed memory for later, in one heap per few threads: after a soak of mixed requests an
ingress that needed 120 MB held 500. Trimming costs milliseconds, so it is done when a session has
ended, and when its media have been decoded, which takes the most.
"""

import asyncio
import ctypes
import gc
import time
from collections.abc import Callable

PAUSE_S = 0.5
SETTLED_S = 8.0
"""When the frames and errors of a session that was cut off are seldom referenced any more, but for
cycles, which only the collector frees."""


class Heap:
    """Trims the heap in a thread, at most once in `PAUSE_S`; does nothing without glibc.

    Args:
        trim: what gives the memory back; glibc's function by default.
    """

    def __init__(self, trim: Callable[[], object] | None = None) -> None:
        self._trim = trim or _glibc_trim()
        self._waiting: asyncio.TimerHandle | None = None
        self._settling: asyncio.TimerHandle | None = None
        self._last_s = -PAUSE_S

    def release(self) -> None:
        """Give free memory back soon, and once more when all is quiet; on the event loop."""
        if not self._trim:
            return
        loop = asyncio.get_running_loop()
        if not self._waiting:
            pause_s = max(0.0, self._last_s + PAUSE_S - time.monotonic())
            self._waiting = loop.call_later(pause_s, self._release)
        if self._settling:
            self._settling.cancel()
        self._settling = loop.call_later(SETTLED_S, self._settle)

    def _release(self) -> None:
        self._waiting, self._last_s = None, time.monotonic()
        if self._trim:
            asyncio.get_running_loop().run_in_executor(None, self._trim)

    def _settle(self) -> None:
        self._settling = None
        gc.collect()
        self._release()


def _glibc_trim() -> Callable[[], object] | None:
    """Return glibc's `malloc_trim`, which looks through all heaps, or None elsewhere."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
    trim.argtypes, trim.restype = (ctypes.c_size_t,), ctypes.c_int
    return lambda: trim(0)
