"""How fast a model replica is, by what its runs took."""

import time
from collections.abc import Callable
from dataclasses import dataclass

MEMORY = 0.05
"""What share the last run has in the averages."""

APART_S = 2.0
"""Beyond so long between two runs, CPU time went to other things than frames, or to none."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What one replica can do.

    Attributes:
        frames_per_s: with full runs, one after the other.
        cpu_s: CPU time of the process per frame.
    """

    frames_per_s: float
    cpu_s: float


class Speed:
    """Learns what a run takes as a constant and a time per frame: a line through what was seen.

    Args:
        full: frames of a full run.
        cpu: CPU seconds of this process so far.
        clock: wall-clock seconds from anywhere.
    """

    def __init__(
        self,
        full: int,
        cpu: Callable[[], float] = time.process_time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._full = full
        self._cpu, self._clock = cpu, clock
        self._cpu_s, self._noted_s = cpu(), clock()
        self._cpu_of_frame, self._cpu_runs = 0.0, 0
        self._runs = 0
        self._frames = self._seconds = self._square = self._product = 0.0

    def note(self, frames: int, seconds: float) -> None:
        """Learn from one run.

        Args:
            frames: >= 1; of none nothing is learnt.
            seconds: of wall clock.
        """
        if not frames:
            return
        values = (frames, seconds, frames * frames, frames * seconds)
        before = (self._frames, self._seconds, self._square, self._product)
        share = max(MEMORY, 1 / (self._runs + 1))
        self._frames, self._seconds, self._square, self._product = (
            old + share * (new - old) for old, new in zip(before, values, strict=True)
        )
        self._runs += 1
        self._note_cpu(frames, seconds)

    def _note_cpu(self, frames: int, seconds: float) -> None:
        """Learn what a frame costs in CPU time, of all that the process does between runs."""
        cpu_s, now_s = self._cpu(), self._clock()
        # What was done in a long pause is not the frames' cost: streams would be refused for it.
        if not self._cpu_runs or now_s - self._noted_s <= seconds + APART_S:
            self._cpu_runs += 1
            share = max(MEMORY, 1 / self._cpu_runs)
            self._cpu_of_frame += share * ((cpu_s - self._cpu_s) / frames - self._cpu_of_frame)
        self._cpu_s, self._noted_s = cpu_s, now_s

    def pace(self) -> Pace | None:
        """Return what this replica can do; nothing before its first run."""
        if not self._runs:
            return None
        spread = self._square - self._frames**2
        slope = 0.0
        if spread > 1e-6 * self._square:
            slope = (self._product - self._frames * self._seconds) / spread
        # All runs alike say nothing of the constant: then each frame takes its share.
        most = self._seconds / self._frames
        slope = min(max(slope, 0.0), most) if slope else most
        constant = self._seconds - slope * self._frames
        seconds = max(constant + slope * self._full, 1e-9)
        return Pace(self._full / seconds, self._cpu_of_frame)
