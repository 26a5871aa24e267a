"""`python -m app.bench`: measures a server of its own; exit status 1 when a target is missed."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from app.bench.talk import MAX_CPU_S_PER_VIDEO_S, MAX_FIRST_FRAGMENT_S, Run, measure, write_json
from app.errors import AppError
from app.media.probe import VideoFacts

FRAMES = 250
MAX_END_GAP_S = 0.04


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    args = _parser().parse_args(argv)
    try:
        runs = measure(args.config, args.requests)
    except AppError as error:
        print(f"app.bench: {error}", file=sys.stderr)
        return 1
    write_json(runs, args.out)
    console = Console()
    console.print(_table(runs))
    verdict = Table("what", "asked", "measured", "met")
    targets = _targets(runs)
    for name, asked, measured, met in targets:
        verdict.add_row(name, asked, measured, "yes" if met else "NO")
    console.print(verdict)
    console.print(f"All of it: {args.out.resolve()}")
    return 0 if all(met for *_, met in targets) else 1


def _table(runs: list[Run]) -> Table:
    table = Table("run", "first fragment", "all bytes", "CPU", title="Demo job on a warm server")
    for number, run in enumerate(runs, 1):
        table.add_row(
            str(number),
            f"{run.first_fragment_s:.2f} s, {run.first_frames} frames",
            f"{run.total_s:.1f} s",
            f"{run.cpu_s_per_video_s:.2f} s per s of video",
        )
    return table


def _targets(runs: list[Run]) -> list[tuple[str, str, str, bool]]:
    """Return what was asked, what was measured over all runs, and whether that is met."""
    frames = {run.video.frames for run in runs}
    errors = sum(_errors(run.video) for run in runs)
    gap_s = max(_end_gap_s(run.video) for run in runs)
    cpu_s = max(run.cpu_s_per_video_s for run in runs)
    first_s = min(run.first_fragment_s for run in runs if run.first_frames)
    return [
        ("frames, every run", f"{FRAMES}", f"{sorted(frames)}", frames == {FRAMES}),
        ("decoder errors, all runs", "0", f"{errors}", errors == 0),
        (
            "sound against picture at the end, worst",
            f"<= {MAX_END_GAP_S} s",
            f"{gap_s:.4f} s",
            gap_s <= MAX_END_GAP_S,
        ),
        (
            "CPU-seconds per second of video, worst",
            f"<= {MAX_CPU_S_PER_VIDEO_S}",
            f"{cpu_s:.2f}",
            cpu_s <= MAX_CPU_S_PER_VIDEO_S,
        ),
        (
            "first fragment with frames, best",
            f"<= {MAX_FIRST_FRAGMENT_S} s",
            f"{first_s:.2f} s",
            first_s <= MAX_FIRST_FRAGMENT_S,
        ),
    ]


def _errors(video: VideoFacts) -> int:
    return video.picture.errors + (video.sound.errors if video.sound else 1)


def _end_gap_s(video: VideoFacts) -> float:
    return float(abs(video.picture.end_s - video.sound.end_s)) if video.sound else float("inf")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m app.bench", description=__doc__)
    parser.add_argument(
        "--requests", type=int, default=5, choices=range(1, 101), metavar="N", help="1 to 100"
    )
    parser.add_argument("--config", type=Path, default=Path("serve_config.yaml"))
    parser.add_argument("--out", type=Path, default=Path("out/bench_talk.json"))
    return parser


if __name__ == "__main__":
    sys.exit(main())
