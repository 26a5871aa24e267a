"""The recordings and the synthetic speech that mouths are judged by."""

from collections.abc import Sequence
from pathlib import Path

from app.demo.run import demo_speech
from app.quality.passage import Passage, recording


def passages(recordings: Sequence[Path]) -> list[Passage]:
    """Return the demo's speech and the recordings.

    Raises:
        AppError: a recording is refused.
        OSError: it cannot be read.
    """
    given = [recording(path.name, path.read_bytes()) for path in recordings]
    return [recording("demo", demo_speech()), *given]
