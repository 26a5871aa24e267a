"""What the published nets make by themselves: full runs of the models, as their replicas run them.

No server, no queue, no encoder: what a server makes of it is a share of this. Both models share one
GPU, so a frame costs what both take of it. Weights are seeded.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
from rich.box import SIMPLE
from rich.table import Table

from app.footage import sitter
from app.pipeline.motion import idle_motion
from app.runtime.config import RuntimeConfig
from app.values import LipGroup
from app.variants.config import CROP_PX
from app.variants.liveportrait.model import LivePortrait
from app.variants.liveportrait.nets import load_nets
from app.variants.portrait import Finish
from app.variants.wav2lip.model import Wav2LipModel, wav2lip_engine
from app.weights.seeded import seeded

FULL_FRAMES = 32
LICENCE = "none: made-up weights"
CPU = "CPU"


@dataclass(frozen=True, slots=True)
class Timing:
    """One model at one shape of call.

    Attributes:
        what: model and step.
        call_frames: of one call.
        ms: of a frame, median of the runs.
        backend: what ran it.
    """

    what: str
    call_frames: int
    ms: float
    backend: str


def measure_engines(
    device: str, photo: bytes, call_frames: Sequence[int], seconds: float
) -> list[Timing]:
    """Return what a frame of each model takes in full runs.

    Args:
        device: of torch.
        photo: of a face.
        call_frames: frames of the calls that make up a run of 32.
        seconds: that each is repeated for.

    Raises:
        AppError: the face nets are absent, or the photo shows no face.
    """
    runtime = RuntimeConfig()
    portrait = LivePortrait(load_nets(seeded, device, runtime), "seeded", LICENCE)
    lips = Wav2LipModel(wav2lip_engine(seeded("wav2lip"), device, runtime), "seeded", LICENCE)
    sitting = portrait.prepare(*sitter(photo))
    timings = []
    for frames in call_frames:
        calls = range(FULL_FRAMES // frames)
        moves = [(sitting, idle_motion(frames, Fraction(25), seed=seed)) for seed in calls]
        groups = [_lip_group(frames, seed) for seed in calls]
        steps: list[tuple[str, Callable[[], object], str]] = [
            ("warping and decoder", partial(portrait.render, moves), portrait.card.backend),
            ("paste, beside the next run", partial(_finished, portrait.render(moves)), CPU),
            ("lips", partial(lips.paint, groups), lips.card.backend),
        ]
        for what, work, backend in steps:
            timings.append(Timing(what, frames, _median_ms(work, seconds), backend))
    return timings


def frames_per_s(timings: Sequence[Timing], call_frames: int) -> float:
    """Return the frames a second that both models make on one GPU, one after the other."""
    own = [t for t in timings if t.call_frames == call_frames and t.backend != CPU]
    return 1000 / sum(timing.ms for timing in own)


def table(timings: Sequence[Timing]) -> Table:
    """Return ms a frame by model, and what both make on one GPU."""
    shown = Table(title="Models by themselves, full runs of 32 frames", box=SIMPLE)
    for name in ("what", "frames a call", "ms a frame", "engine"):
        shown.add_column(name, justify="right" if name.startswith(("frames", "ms")) else "left")
    for each in timings:
        shown.add_row(each.what, f"{each.call_frames}", f"{each.ms:.3f}", each.backend)
    for frames in dict.fromkeys(timing.call_frames for timing in timings):
        made = f"{frames_per_s(timings, frames):.0f} frames/s"
        shown.add_row("both on one GPU", f"{frames}", "", made)
    return shown


def write_json(timings: Sequence[Timing], file: Path) -> None:
    """Write the timings, and the frames a second of both models by the frames of a call."""
    sizes = dict.fromkeys(timing.call_frames for timing in timings)
    both = {f"{frames}": frames_per_s(timings, frames) for frames in sizes}
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {"timings": [asdict(timing) for timing in timings], "frames_per_s": both}
    file.write_text(json.dumps(content, indent=2))


def _lip_group(frames: int, seed: int) -> LipGroup:
    random, side = np.random.default_rng(seed), CROP_PX["wav2lip"]
    return LipGroup(
        random.integers(0, 256, (frames, side, side, 3), np.uint8),
        np.zeros((frames, 478, 2), np.float32),
        random.uniform(-4, 4, (frames, 80, 16)).astype(np.float32),
    )


def _finished(finishes: Sequence[Finish]) -> None:
    for finish in finishes:
        finish()


def _median_ms(work: Callable[[], object], seconds: float) -> float:
    """Return the median wall time of a frame in a run, the first two left out."""
    times: list[float] = []
    until_s = time.perf_counter() + seconds
    while len(times) < 5 or time.perf_counter() < until_s:
        start = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - start) / FULL_FRAMES)
    return float(np.median(times[2:]))
