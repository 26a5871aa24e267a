"""Who encodes first where CPU is short. Sessions as a whole are in tests/serve."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

from app.serving.stage import LATER, _give_way


def priority() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_a_thread_that_gives_way_has_lower_priority_and_the_others_keep_theirs() -> None:
    before = priority()
    with ThreadPoolExecutor(1, initializer=_give_way) as thread:
        assert thread.submit(priority).result() == min(19, before + LATER)
    assert priority() == before
