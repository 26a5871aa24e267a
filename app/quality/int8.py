"""`python -m app.quality.int8`: what INT8 gives and takes of the viseme net, on a CPU.

By the runtime's own path, its ranges found on the demo's speech, judged on voices and languages
that no training heard. T video frames.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from rich.console import Console

from app.errors import AppError
from app.media.mel import speech_windows
from app.models.viseme.coarticulation import opening
from app.quality.passage import FPS, Floats, Passage
from app.quality.speech import held_out, recordings
from app.quality.table import Row, as_table
from app.runtime.embedded import controls_net
from app.runtime.int8 import Int8Engine, quantise_for_cpu
from app.runtime.nets import NETS
from app.runtime.onnx_graph import export
from app.synthesis.corpus import Counts
from app.synthesis.utterance import SynthesisError
from app.variants.config import MEL_WINDOWS

Listen = Callable[[torch.Tensor], torch.Tensor]

MOST_BYTES, LEAST_SPEED, MOST_LOSS = 0.27, 1.7, 0.02
"""Of float32's bytes, of its speed, and of the opening's range."""

FRAMES, RUNS, ROUNDS = 32, 4, 15

COUNTS = Counts(espeak=20, flite=4, festival=0)
"""Of utterances; without Festival's voices, which not every machine has."""


@dataclass(frozen=True, slots=True)
class Int8Figures:
    """INT8 against float32.

    Attributes:
        files: bytes of its weights and graph as a share of float32's weights.
        weights: the same of its weights alone.
        speeds: how many times as fast it is, of each round.
        losses: by passage, the mean change of the opening as a share of its range.
    """

    files: float
    weights: float
    speeds: Sequence[float]
    losses: dict[str, float]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser("python -m app.quality.int8", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    try:
        figures = int8_figures(recordings([]), held_out(args.seed, COUNTS))
    except (AppError, SynthesisError, OSError) as error:
        print(f"app.quality.int8: {error}", file=sys.stderr)
        return 1
    Console().print(as_table(int8_rows(figures)))
    return 0


def int8_engine(folder: Path, calibration: Sequence[Passage]) -> Int8Engine | None:
    """Return the net in INT8, its files in a folder; nothing where OpenVINO is not installed."""
    try:
        graph = folder / "graph.onnx"
        export(controls_net().requires_grad_(False), NETS["controls"].inputs(), graph)
        path = quantise_for_cpu(graph, [(windows(calibration),)], folder / "int8.xml")
        return Int8Engine(path, threads=1, chunk_frames=FRAMES)
    except ImportError:
        return None


def int8_figures(calibration: Sequence[Passage], passages: Sequence[Passage]) -> Int8Figures | None:
    """Return INT8 against float32 on passages; nothing without them or without OpenVINO.

    Both run on one thread, in turns, 32 frames at a time.

    Args:
        calibration: passages that INT8 finds its ranges by; none of those it is judged by.
        passages: that it is judged by.
    """
    with TemporaryDirectory() as name, torch.inference_mode():
        folder = Path(name)
        int8 = int8_engine(folder, calibration) if passages else None
        if int8 is None:
            return None
        net = controls_net()
        weights, graph = shares(folder)
        return Int8Figures(
            weights + graph,
            weights,
            speeds(net, int8.run, windows(passages)[:FRAMES]),
            {each.name: loss(net, int8.run, each) for each in passages},
        )


def shares(folder: Path) -> tuple[float, float]:
    """Return the bytes of INT8's weights and of its graph as shares of float32's weights."""
    full = sum(each.numel() * each.element_size() for each in controls_net().parameters())
    weights, graph = ((folder / name).stat().st_size for name in ("int8.bin", "int8.xml"))
    return weights / full, graph / full


def windows(passages: Sequence[Passage]) -> torch.Tensor:
    """Return what the net hears in passages, (T, 80, 32) float32."""
    window = MEL_WINDOWS["viseme"]
    parts = [
        speech_windows(each.speech.levels, each.speech.gain_db, FPS, 0, each.num_frames, 0, window)
        for each in passages
    ]
    return torch.from_numpy(np.concatenate(parts))


def loss(full: Listen, small: Listen, passage: Passage) -> float:
    """Return the mean change of a passage's opening as a share of the opening's range."""
    heard = windows([passage])
    wanted, got = (_opening(listen, heard) for listen in (full, small))
    # A mouth that stays shut has no range; any change of it counts whole.
    span = float(np.ptp(wanted)) or 1.0
    return float(np.abs(got - wanted).mean()) / span


def speeds(full: Listen, small: Listen, batch: torch.Tensor) -> list[float]:
    """Return how many times as fast the small one is, in rounds that take turns."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        _s(full, batch), _s(small, batch)
        return [_s(full, batch) / _s(small, batch) for _ in range(ROUNDS)]
    finally:
        torch.set_num_threads(threads)


def int8_rows(figures: Int8Figures | None) -> list[Row]:
    """Return the rows of size, speed and loss; not measured where there are no figures."""
    size, speed = (
        "INT8 of the viseme net: files, of float32's bytes",
        "INT8 of the viseme net: speed",
    )
    lost = "INT8 of the viseme net: change of the opening, held-out voices"
    asked = (
        f"at most {MOST_BYTES:.0%}",
        f"at least {LEAST_SPEED} times",
        f"under {MOST_LOSS:.0%} of its range",
    )
    if figures is None:
        return [
            Row(measure, "", target, None)
            for measure, target in zip((size, speed, lost), asked, strict=True)
        ]
    fast, slowest = statistics.median(figures.speeds), min(figures.speeds)
    mean = statistics.mean(figures.losses.values())
    worst = max(figures.losses, key=lambda name: figures.losses[name])
    most = figures.losses[worst]
    return [
        Row(
            size,
            f"{figures.files:.1%}",
            asked[0],
            figures.files <= MOST_BYTES,
            f"{figures.weights:.1%} the weights alone",
        ),
        Row(speed, f"{fast:.1f} times", asked[1], fast >= LEAST_SPEED, f"{slowest:.1f} times"),
        Row(lost, f"{mean:.2%}", asked[2], most < MOST_LOSS, f"{most:.2%} {worst}"),
    ]


def _opening(listen: Listen, heard: torch.Tensor) -> Floats:
    return opening(listen(heard).numpy())


def _s(listen: Listen, batch: torch.Tensor) -> float:
    start = time.perf_counter()
    for _ in range(RUNS):
        listen(batch)
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
