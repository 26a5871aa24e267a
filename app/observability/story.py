"""What the one line of the log says about a request; gathered while it is answered.

Numbers and names from closed sets only: nothing of what the client sent, but its request id.
"""

import time
from contextvars import ContextVar
from dataclasses import dataclass, field

from app.observability.stages import StageTimes


@dataclass(slots=True)
class Story:
    """One request.

    Attributes:
        job: "talk", "animate", "lipsync" or "motions"; empty where nothing is made.
        models: variants that take part, by role.
        times: of its stages.
        status: of the answer; None if there was none.
        frames: that were encoded, or recorded.
        bytes_in: of its body, as far as it was read.
        bytes_out: of the answer's body, as far as it was sent.
        first_frame_s: wall-clock seconds from the request's arrival until the first bytes of its
            video were made; None without.
    """

    job: str = ""
    models: dict[str, str] = field(default_factory=dict)
    times: StageTimes | None = None
    status: int | None = None
    frames: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    first_frame_s: float | None = None
    _started_s: float = field(default_factory=time.perf_counter)

    def began(self) -> None:
        """Note that the first bytes of the video exist."""
        self.first_frame_s = round(time.perf_counter() - self._started_s, 3)

    def fields(self) -> dict[str, object]:
        """Return it as fields of a log line."""
        return {
            "job": self.job,
            "models": self.models,
            "status": self.status,
            "first_frame_s": self.first_frame_s,
            "stages_s": self.times.spent_s() if self.times else {},
            "frames": self.frames,
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
        }


STORY: ContextVar[Story | None] = ContextVar("story", default=None)
"""Of the request that this task answers."""


def story() -> Story:
    """Return the story of the request that this task answers, or one that nobody reads."""
    return STORY.get() or Story()
