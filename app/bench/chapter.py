"""What the book chapter that this project comes from reports of serving. Not measured by us."""

from dataclasses import dataclass

from app.bench.cost import cost_of


@dataclass(frozen=True, slots=True)
class ChapterRow:
    """One GPU of the chapter.

    A request there can only be one frame: the chapter's nets take 5 + 8 ms each, which is 77 a
    second, and 200 requests a second is one every 5 ms.

    Attributes:
        gpu: its name.
        concurrent: requests at once.
        p95_s: the 95th percentile of latency.
        per_s: requests per second.
        per_hour: price, in dollars.
    """

    gpu: str
    concurrent: int
    p95_s: float
    per_s: float
    per_hour: float

    @property
    def per_1000(self) -> float:
        """Price of a thousand requests, which follows from the others."""
        return cost_of(self.per_hour, self.per_s, 0.0).per_1000 or 0.0


CHAPTER = (
    ChapterRow("RTX 3060", 5, 0.800, 6, 0.5),
    ChapterRow("RTX 4090", 15, 0.350, 42, 1.5),
    ChapterRow("A100", 50, 0.250, 200, 3.5),
)
