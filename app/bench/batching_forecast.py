"""Foresees when an engine is free, so that a batch can stay open until then; has no clock."""

from collections import deque
from dataclasses import dataclass
from itertools import combinations

LATE_S = 0.001
"""So much later than asked `@serve.batch` stops filling a batch."""

RUNS = 16
"""Latest runs that are remembered."""


@dataclass(slots=True)
class _Batch:
    """Calls that wait together: how many, their frames, and when no more may join."""

    calls: int
    frames: int
    closes_s: float


class Forecast:
    """Says how long the batch that a call joins shall stay open: until the engine is free for it.

    Keeps its own picture of the batches that `@serve.batch` holds open or has closed, because
    that shows none. Times are seconds of one monotonic clock.

    Args:
        max_calls: of a batch.
    """

    def __init__(self, max_calls: int) -> None:
        self._max_calls = max_calls
        self._run_time = RunTime()
        self._batches: deque[_Batch] = deque()
        self._running: tuple[int, float] | None = None

    def arrive(self, frames: int, now_s: float) -> float:
        """Note a call with so many frames, and return the wait to set before it is queued, s."""
        if self._batches:
            last = self._batches[-1]
            if last.calls < self._max_calls and now_s < last.closes_s + LATE_S:
                last.calls += 1
                last.frames += frames
                return max(0.0, last.closes_s - now_s)
        wait_s = sum(self._run_time.expected_s(batch.frames) for batch in self._batches)
        if self._running:
            running, started_s = self._running
            wait_s += max(0.0, started_s + self._run_time.expected_s(running) - now_s)
        self._batches.append(_Batch(1, frames, now_s + wait_s))
        return wait_s

    def start(self, calls: int, frames: int, now_s: float) -> None:
        """Note that the engine runs the oldest calls, so many, with so many frames together."""
        self._drop(calls, frames)
        self._running = (frames, now_s)

    def end(self, now_s: float) -> None:
        """Note that the run has ended, and learn from it."""
        assert self._running is not None
        frames, started_s = self._running
        self._running = None
        self._run_time.learn(frames, now_s - started_s)

    def _drop(self, calls: int, frames: int) -> None:
        """Take calls out of the oldest batches: which of them a call is in, nobody knows."""
        while calls and self._batches:
            first = self._batches[0]
            gone = min(calls, first.calls)
            calls -= gone
            first.calls -= gone
            first.frames, frames = max(0, first.frames - frames), max(0, frames - first.frames)
            if not first.calls:
                self._batches.popleft()


class RunTime:
    """How long a run of so many frames takes: a line through the latest runs.

    The line goes through medians of slopes and of heights (Theil-Sen), because a few slow runs,
    such as those that meet a new portrait, must not keep batches open for long. In a simulation
    of uneven engines, lower and higher quantiles of the heights did no better.
    """

    def __init__(self) -> None:
        self._runs: deque[tuple[int, float]] = deque(maxlen=RUNS)
        self._first = True
        self._base_s = 0.0
        self._per_frame_s = 0.0

    def expected_s(self, frames: int) -> float:
        """Return how long a run takes, seconds; 0 as long as nothing is known."""
        return max(0.0, self._base_s + self._per_frame_s * frames)

    def learn(self, frames: int, took_s: float) -> None:
        """Take a run into account; not the first ever, which is slow."""
        if self._first:
            self._first = False
            return
        self._runs.append((frames, took_s))
        # Plain Python: of so few runs it takes a fourth of the time that numpy takes.
        slopes = [
            (y1 - y0) / (x1 - x0) for (x0, y0), (x1, y1) in combinations(self._runs, 2) if x0 != x1
        ]
        self._per_frame_s = max(0.0, _median(slopes)) if slopes else 0.0
        heights = [y - self._per_frame_s * x for x, y in self._runs]
        self._base_s = _median(heights)


def _median(values: list[float]) -> float:
    """Return the lower median."""
    return sorted(values)[(len(values) - 1) // 2]
