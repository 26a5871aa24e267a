"""A cache that is bounded by what its values weigh."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class BoundedCache(Generic[Value]):
    """Values by content hash; the least recently used make room.

    Args:
        max_bytes: of all values together; the newest stays even if it alone weighs more.
        size_bytes: of one value.
        max_entries: how many values, >= 1; None has no limit of its own.
    """

    def __init__(
        self,
        max_bytes: int,
        size_bytes: Callable[[Value], int],
        max_entries: int | None = None,
    ) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._size_bytes = size_bytes
        self._values: OrderedDict[str, Value] = OrderedDict()

    def __contains__(self, key: str) -> bool:
        """Return whether a value is kept, which leaves their order as it is."""
        return key in self._values

    def get(self, key: str) -> Value | None:
        """Return a value, now the most recently used, or None."""
        if key in self._values:
            self._values.move_to_end(key)
        return self._values.get(key)

    def put(self, key: str, value: Value) -> None:
        """Keep a value, and drop others until all fit."""
        self._values[key] = value
        self._values.move_to_end(key)
        if self._max_entries and len(self._values) > self._max_entries:
            self._values.popitem(last=False)
        held = sum(map(self._size_bytes, self._values.values()))
        while held > self._max_bytes and len(self._values) > 1:
            _, oldest = self._values.popitem(last=False)
            held -= self._size_bytes(oldest)
