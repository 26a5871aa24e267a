"""`python -m app.bench`: measures a server of its own; exit status 1 when a target is missed.

`load` puts open-loop load on any server and counts in four units, `overload` asks for twice of what
one can make, `failures` kills processes under load, `path` runs the whole graph over models that do
nothing, `engines` the published models over nothing, `chapter` sets load runs beside the chapter's
table.

`talk` times the demo job and is what runs when nothing is named; `batching` compares batchers,
`sessions` several sessions with one, `memory` long recordings and stalled readers with the idle;
`soak` mixes good, bad and abandoned requests and looks whether any process grows; `nets` times the
published nets, without a server. `dashboards` measures nothing: it draws what Grafana would show
of a running Prometheus.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from app.bench import (
    batching,
    batching_report,
    chapter_report,
    load_report,
    memory,
    sessions,
    soak_report,
)
from app.bench.batching import PRODUCT, QUICK, Plan
from app.bench.batching_load import MEANING
from app.bench.dashboard_command import add_dashboards, run_dashboards
from app.bench.engines_command import add_engines, run_engines
from app.bench.failures_command import add_failures, run_failures
from app.bench.load_command import add_load, run_load
from app.bench.overload_command import add_overload, run_overload
from app.bench.path_command import add_path, run_path
from app.bench.soak import Tally
from app.bench.soak import soak as run_soak
from app.bench.talk import MAX_CPU_S_PER_VIDEO_S, MAX_FIRST_FRAGMENT_S, Run, measure, write_json
from app.client.server import HAPROXY
from app.errors import AppError, BadRequest, NotReady
from app.media.probe import VideoFacts

FRAMES = 250
MAX_END_GAP_S = 0.04


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or (words[0].startswith("-") and words[0] not in {"-h", "--help"}):
        words.insert(0, "talk")
    args = parser().parse_args(words)
    try:
        match args.command:
            case "batching":
                return _batching(args)
            case "sessions":
                return _sessions(args)
            case "memory":
                return _memory(args)
            case "soak":
                return _soak(args)
            case "nets":
                return _nets(args)
            case "load":
                return run_load(args)
            case "overload":
                return run_overload(args)
            case "failures":
                return run_failures(args)
            case "path":
                return run_path(args)
            case "engines":
                return run_engines(args)
            case "chapter":
                return _chapter(args)
            case "dashboards":
                return run_dashboards(args)
        return _talk(args)
    except AppError as error:
        print(f"app.bench: {error}", file=sys.stderr)
        return 1


def _batching(args: argparse.Namespace) -> int:
    """Compare the batchers; the product's must come close to the reference at every load."""
    plan = QUICK if args.quick else Plan()
    console = Console()
    columns = (TextColumn("Batchers under load"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        task = progress.add_task("", total=None)
        runs = batching.measure(
            plan, lambda done, total: progress.update(task, completed=done, total=total)
        )
    verdicts = batching.judge(runs)
    for name, meaning in MEANING.items():
        console.print(f"{name}: {meaning}", highlight=False)
    console.print(*batching_report.tables(verdicts))
    batching_report.write_json(plan, runs, verdicts, args.out)
    console.print(f"All of it: {args.out.resolve()}")
    try:
        batching_report.plot(verdicts, args.out.with_suffix(".png"))
        console.print(f"Drawn: {args.out.with_suffix('.png').resolve()}")
    except NotReady as error:
        console.print(f"Not drawn. {error}")
    far = [verdict for verdict in verdicts if verdict.batcher == PRODUCT and not verdict.close]
    console.print(f"The product's batcher is far from slot-first under {len(far)} loads.")
    return 1 if far else 0


def _sessions(args: argparse.Namespace) -> int:
    """Compare what a second of video costs when sessions share the server."""
    loads = sessions.measure_sessions(args.config, args.rounds)
    table = Table("sessions", "CPU per s of video", "more than one session's", "s of video per s")
    for load in loads:
        table.add_row(
            str(load.sessions),
            f"{load.cpu_s_per_video_s:.3f} s",
            f"{load.overhead:+.1%}",
            f"{load.real_time:.1f}",
        )
    Console().print(table)
    worst = max(load.overhead for load in loads)
    print(f"Asked: at most {sessions.MAX_OVERHEAD:.0%} more; worst {worst:+.1%}.")
    return 0 if worst <= sessions.MAX_OVERHEAD else 1


def _memory(args: argparse.Namespace) -> int:
    """Compare long recordings and stalled readers with the idle server."""
    environment = HAPROXY if args.mode == "haproxy" else {}
    long = memory.measure_long(args.config, args.seconds, environment)
    stall = memory.measure_stall(args.config, args.stall_seconds, environment)
    more_mb = long.long_mb - long.short_mb
    table = Table("what", "asked", "measured", title=f"Mode: {args.mode}")
    table.add_row(
        f"{args.seconds:g} s of audio over 10 s, peak of all processes",
        f"<= {memory.MAX_LONG_MB} MB",
        f"{more_mb:.0f} MB ({long.long_mb:.0f} over {long.short_mb:.0f})",
    )
    allowed_mb = stall.clip_mb + memory.MAX_STALL_MB
    table.add_row(
        f"stalled reader of a {stall.clip_mb:.1f} MB clip, growth",
        f"<= {allowed_mb:.0f} MB",
        f"{stall.growth_mb:.0f} MB",
    )
    table.add_row(
        f"left {memory.FREED_WITHIN_S} s after it left",
        f"<= {memory.MAX_LEFT_MB} MB",
        f"{stall.left_mb:.0f} MB",
    )
    paused_s = stall.paused_after_s
    rendered = f"{stall.frames} of {stall.clip_frames} frames rendered"
    table.add_row(
        "rendering paused, into the stall",
        f"<= {memory.PAUSED_WITHIN_S} s" if args.mode == "haproxy" else "-",
        f"{rendered}, {'no pause' if paused_s is None else f'paused after {paused_s:.0f} s'}",
    )
    Console().print(table)
    met = (
        more_mb <= memory.MAX_LONG_MB,
        stall.growth_mb <= allowed_mb,
        stall.left_mb <= memory.MAX_LEFT_MB,
        args.mode == "proxy" or (paused_s is not None and paused_s <= memory.PAUSED_WITHIN_S),
    )
    return 0 if all(met) else 1


def _soak(args: argparse.Namespace) -> int:
    """Mix requests for minutes; every process must stay flat, and every answer be right."""
    console = Console()
    seconds = 60 * args.minutes
    environment = HAPROXY if args.mode == "haproxy" else {}
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        task = progress.add_task("Waiting for the server to come to rest", total=seconds)

        def tell(at_s: float, tally: Tally) -> None:
            made, wrong = tally.asked.total(), tally.wrong.total()
            shown = f"Soak: {made} requests, {wrong} answered wrongly"
            progress.update(task, completed=at_s, description=shown)

        soak = run_soak(args.config, seconds, args.seed, environment, tell, args.share)
    soak_report.write_json(soak, args.out)
    console.print(*soak_report.tables(soak))
    for complaint in soak.tally.complaints:
        console.print(complaint, highlight=False, markup=False)
    rate = soak.tally.asked.total() / soak.seconds
    console.print(
        f"{rate:.2f} requests a second, {rate / soak.most_per_s:.0%} of {soak.most_per_s:.2f} flat "
        f"out; {soak.cpu_cores:.2f} cores.",
        highlight=False,
    )
    console.print(f"Warnings in the server's log: {len(soak.warnings)}.")
    rest = "never" if soak.idle_after_s is None else f"{soak.idle_after_s:.0f} s"
    console.print(f"At rest again after the last answer: {rest}.")
    console.print(f"All of it: {args.out.resolve()}")
    try:
        soak_report.plot(soak, args.out.with_suffix(".png"))
        console.print(f"Drawn: {args.out.with_suffix('.png').resolve()}")
    except NotReady as error:
        console.print(f"Not drawn. {error}")
    print("Flat, and every answer right." if soak.met else "NOT flat, or not every answer right.")
    return 0 if soak.met else 1


def _nets(args: argparse.Namespace) -> int:
    """Time the published nets; none may take more CPU than the published code."""
    # A thread that waits for others by spinning counts as CPU: on a busy machine, most of it.
    # OpenMP reads this once, when torch is first imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from app.bench.nets import NETS, THREADS, measure_nets

    console = Console()
    unknown = set(args.names) - set(NETS)
    if unknown:
        raise BadRequest(f"No net is named {', '.join(sorted(unknown))}.", f"Any of {list(NETS)}.")
    with console.status("Nets") as status:
        rows = measure_nets(args.names or list(NETS), lambda name: status.update(f"Nets: {name}"))
    table = Table(
        "net", "user CPU", "wall", "published, wall", "met", title=f"A frame, {THREADS} threads"
    )
    for row in rows:
        times = (row.user_s, row.wall_s, row.published_s)
        table.add_row(row.name, *(f"{1000 * s:,.2f} ms" for s in times), "yes" if row.met else "NO")
    console.print(table)
    console.print(f"Asked: user CPU of at most {THREADS} x the published code's wall time.")
    return 0 if all(row.met for row in rows) else 1


def _chapter(args: argparse.Namespace) -> int:
    """Set what load runs found beside the chapter's table."""
    runs = [load_report.read_json(file) for file in args.runs]
    print(chapter_report.markdown(runs, args.budget_ms / 1000))
    return 0


def _talk(args: argparse.Namespace) -> int:
    """Time the demo job."""
    runs = measure(args.config, args.requests)
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


def parser() -> argparse.ArgumentParser:
    """Return what reads the command's words."""
    whole = argparse.ArgumentParser("python -m app.bench", description=__doc__)
    commands = whole.add_subparsers(dest="command", required=True)
    talk = commands.add_parser("talk", help="time the demo job on a server of its own")
    talk.add_argument(
        "--requests", type=int, default=5, choices=range(1, 101), metavar="N", help="1 to 100"
    )
    talk.add_argument("--config", type=Path, default=Path("serve_config.yaml"))
    talk.add_argument("--out", type=Path, default=Path("out/bench_talk.json"))
    batchers = commands.add_parser("batching", help="compare batchers over a sleeping engine")
    batchers.add_argument("--quick", action="store_true", help="one minute instead of six")
    batchers.add_argument("--out", type=Path, default=Path("out/bench_batching.json"))
    several = commands.add_parser("sessions", help="1, 2, 4 and 8 sessions at once")
    several.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    several.add_argument("--config", type=Path, default=Path("serve_config.yaml"))
    held = commands.add_parser("memory", help="a long recording, and a reader that stalls")
    held.add_argument("--mode", choices=("proxy", "haproxy"), default="proxy")
    held.add_argument("--seconds", type=float, default=600.0, help="default: %(default)s")
    held.add_argument("--stall-seconds", type=float, default=60.0, help="default: %(default)s")
    held.add_argument("--config", type=Path, default=Path("serve_config.yaml"))
    long = commands.add_parser("soak", help="good, bad and abandoned requests for minutes")
    long.add_argument("--minutes", type=_minutes, default=15.0, help="default: %(default)s")
    long.add_argument(
        "--share", type=_share, default=0.8, help="of full load; default: %(default)s"
    )
    long.add_argument("--seed", type=int, default=0, help="of the mix; default: %(default)s")
    long.add_argument("--mode", choices=("proxy", "haproxy"), default="proxy")
    long.add_argument("--config", type=Path, default=Path("serve_config.yaml"))
    long.add_argument("--out", type=Path, default=Path("out/soak.json"))
    add_load(commands)
    add_overload(commands)
    add_failures(commands)
    add_path(commands)
    add_engines(commands)
    chapter = commands.add_parser("chapter", help="the chapter's table, and ours, from load runs")
    chapter.add_argument("runs", nargs="+", type=Path, metavar="RUN.json")
    chapter.add_argument("--budget-ms", type=float, default=250.0, help="P95 of chunks")
    add_dashboards(commands)
    nets = commands.add_parser("nets", help="CPU time of a frame in each published net")
    nets.add_argument("names", nargs="*", help="default: all")
    return whole


def _share(text: str) -> float:
    """Return a share of full load."""
    share = float(text)
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError("more than 0, 1 at most")
    return share


def _minutes(text: str) -> float:
    """Return a length of a soak; a shorter one than a minute has too few samples to judge."""
    minutes = float(text)
    if not 1 <= minutes < float("inf"):
        raise argparse.ArgumentTypeError("one minute or more")
    return minutes


if __name__ == "__main__":
    sys.exit(main())
