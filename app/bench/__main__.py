"""`python -m app.bench`: measures a server of its own; exit status 1 when a target is missed."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from app.bench.talk import MAX_CPU_S_PER_VIDEO_S, MAX_FIRST_FRAGMENT_S, Report, measure, write_json
from app.errors import AppError

FRAMES = 250
MAX_END_GAP_S = 0.04


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    args = _parser().parse_args(argv)
    try:
        report = measure(args.config, args.requests)
    except AppError as error:
        print(f"app.bench: {error}", file=sys.stderr)
        return 1
    write_json(report, args.out)
    console = Console()
    console.print(_runs(report))
    table, met = _targets(report)
    console.print(table)
    console.print(f"All of it: {args.out.resolve()}")
    return 0 if met else 1


def _runs(report: Report) -> Table:
    table = Table("run", "first fragment", "all bytes", "CPU", title="Demo job on a warm server")
    for number, run in enumerate(report.runs, 1):
        table.add_row(
            str(number),
            f"{run.first_fragment_s:.2f} s",
            f"{run.total_s:.1f} s",
            f"{run.cpu_s_per_video_s:.2f} s per s of video",
        )
    return table


def _targets(report: Report) -> tuple[Table, bool]:
    """Return what was asked beside what was measured, and whether all of it was met."""
    video = report.video
    ends = [video.picture.end_s, video.sound.end_s if video.sound else video.picture.end_s]
    errors = video.picture.errors + (video.sound.errors if video.sound else 1)
    rows = [
        ("frames", str(FRAMES), str(video.frames), video.frames == FRAMES),
        ("decoder errors", "0", str(errors), errors == 0),
        (
            "sound against picture at the end",
            f"<= {MAX_END_GAP_S} s",
            f"{float(abs(ends[0] - ends[1])):.4f} s",
            abs(ends[0] - ends[1]) <= MAX_END_GAP_S,
        ),
        (
            "CPU-seconds per second of video, best",
            f"<= {MAX_CPU_S_PER_VIDEO_S}",
            f"{report.best_cpu_s_per_video_s:.2f}",
            report.best_cpu_s_per_video_s <= MAX_CPU_S_PER_VIDEO_S,
        ),
        (
            "first fragment, best",
            f"<= {MAX_FIRST_FRAGMENT_S} s",
            f"{report.best_first_fragment_s:.2f} s",
            report.best_first_fragment_s <= MAX_FIRST_FRAGMENT_S,
        ),
    ]
    table = Table("what", "asked", "measured", "met")
    for name, asked, measured, met in rows:
        table.add_row(name, asked, measured, "yes" if met else "NO")
    return table, all(met for *_, met in rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m app.bench", description=__doc__)
    parser.add_argument("--requests", type=int, default=5, help="timed requests")
    parser.add_argument("--config", type=Path, default=Path("serve_config.yaml"))
    parser.add_argument("--out", type=Path, default=Path("out/bench_talk.json"))
    return parser


if __name__ == "__main__":
    sys.exit(main())
