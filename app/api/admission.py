"""Who may start a session now."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from app.api.keys import Client
from app.errors import OverCapacity

RETRY_AFTER_S = 5.0

Decision = Literal["admitted", "server_full", "key_full"]


class Sessions:
    """Counts the sessions of one ingress replica, and refuses those beyond its limits.

    Args:
        max_sessions: how many may be under way at once, of all clients.
        observe: told how many are under way, whenever that changes.
        decided: told of every decision.
    """

    def __init__(
        self,
        max_sessions: int,
        observe: Callable[[int], None] = lambda running: None,
        decided: Callable[[Decision], None] = lambda decision: None,
    ) -> None:
        self._observe = observe
        self._decided = decided
        self._max_sessions = max_sessions
        self._running: Counter[str] = Counter()

    @contextmanager
    def admitted(self, client: Client) -> Iterator[None]:
        """Hold a place for one session.

        Args:
            client: who asks.

        Raises:
            OverCapacity: all places are taken, or all of this client.
        """
        if self._running.total() >= self._max_sessions:
            self._decided("server_full")
            raise OverCapacity(
                f"All {self._max_sessions} sessions of this server are taken.",
                "Try again later.",
                RETRY_AFTER_S,
            )
        limit = client.max_sessions
        if limit is not None and self._running[client.name] >= limit:
            self._decided("key_full")
            raise OverCapacity(
                f"This key has all of its {limit} sessions under way.",
                "Wait for one to end.",
                RETRY_AFTER_S,
            )
        self._decided("admitted")
        self._change(client.name, +1)
        try:
            yield
        finally:
            self._change(client.name, -1)

    def _change(self, name: str, by: int) -> None:
        self._running[name] += by
        if not self._running[name]:
            del self._running[name]
        self._observe(self._running.total())
