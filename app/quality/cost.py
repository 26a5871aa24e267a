"""What a frame costs, on one thread and without encoding."""

import time
from collections.abc import Callable
from statistics import median

from app.pipeline.motion import idle_motion
from app.quality.passage import FPS, Passage
from app.quality.sitter import Sitter
from app.quality.studio import GROUP_FRAMES, Studio, lower_face

ROUNDS = 7


def frame_cost_ms(studio: Studio, sitter: Sitter, passage: Passage) -> float:
    """Return the CPU time of one frame, ms: head, mouth and putting it back.

    The median over rounds of a second of video each, all threads together; give torch and OpenCV
    one thread each, because waiting for others counts as work.
    """
    motion, face = idle_motion(GROUP_FRAMES, FPS, 1), lower_face()

    def render() -> None:
        group = studio.move(sitter, motion)
        studio.speak(group, studio.hear(passage, 0, GROUP_FRAMES), "ours", face)

    render()
    return median(_cpu_s(render) for _ in range(ROUNDS)) * 1000 / GROUP_FRAMES


def _cpu_s(work: Callable[[], None]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start
