"""Who may start a session now."""

from collections.abc import Iterator
from contextlib import contextmanager

from app.errors import OverCapacity


class Sessions:
    """Counts the sessions of one ingress replica, and refuses those beyond its limit.

    Args:
        max_sessions: how many may be under way at once.
    """

    def __init__(self, max_sessions: int) -> None:
        self._max_sessions = max_sessions
        self._running = 0

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Hold a place for one session.

        Raises:
            OverCapacity: all places are taken.
        """
        if self._running >= self._max_sessions:
            raise OverCapacity(
                f"All {self._max_sessions} sessions of this server are taken.",
                "Try again later.",
                retry_after_s=5.0,
            )
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
