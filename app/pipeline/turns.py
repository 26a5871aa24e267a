"""Who may work on frames now: everyone, or in turn those that nobody watches."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager


class Turns:
    """Lets sessions that nobody watches take turns while somebody watches another.

    Models put live calls first by themselves; what is done beside them, cutting, blending and
    encoding, shares the process's cores, where a crowd of clips would make live streams late.
    Belongs to one event loop.
    """

    def __init__(self) -> None:
        self._watched = 0
        self._turn = asyncio.Lock()

    @contextmanager
    def watching(self) -> Generator[None]:
        """Surround a session that is watched while it renders."""
        self._watched += 1
        try:
            yield
        finally:
            self._watched -= 1

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """Surround work of a session that nobody watches: wait for its turn, first come first.

        Nobody waits while nothing is watched; who waited already still goes in turn.
        """
        if not self._watched:
            yield
            return
        async with self._turn:
            yield
