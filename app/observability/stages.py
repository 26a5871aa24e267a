"""How long the stages of one session take, wall clock, waiting included."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

STAGES = (
    *("decode", "face", "layout", "read", "track", "watch"),
    *("animate", "cut", "paint", "blend", "encode"),
)
"""In the order of work."""


class StageTimes:
    """Adds up stages, and tells an observer of each.

    Args:
        observe: called with a stage and its seconds, each time one ends.
        span: surrounds a stage, by its name.
    """

    def __init__(
        self,
        observe: Callable[[str, float], None] = lambda stage, seconds: None,
        span: Callable[[str], AbstractContextManager[Any]] = lambda stage: nullcontext(),
    ) -> None:
        self._observe = observe
        self._span = span
        self._started_s = time.perf_counter()
        self._totals_s: dict[str, float] = {}

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Count the time within as one of `STAGES`; what fails counts as well."""
        started_s = time.perf_counter()
        try:
            with self._span(stage):
                yield
        finally:
            seconds = time.perf_counter() - started_s
            self._totals_s[stage] = self._totals_s.get(stage, 0.0) + seconds
            self._observe(stage, seconds)

    def elapsed_s(self) -> float:
        """Return the seconds since the session began."""
        return time.perf_counter() - self._started_s

    def spent_s(self) -> dict[str, float]:
        """Return the seconds of each stage so far, to the millisecond, in order of work."""
        return {
            stage: round(self._totals_s[stage], 3) for stage in STAGES if stage in self._totals_s
        }

    def server_timing(self) -> str:
        """Return the value of a `Server-Timing` header: milliseconds so far, in order of work."""
        spent = [(stage, self._totals_s[stage]) for stage in STAGES if stage in self._totals_s]
        parts = [*spent, ("total", self.elapsed_s())]
        return ", ".join(f"{stage};dur={1000 * seconds:.1f}" for stage, seconds in parts)
