"""`python -m app.bench dashboards`: draws the dashboards over a running Prometheus."""

import argparse
import math
from pathlib import Path

import httpx

from app.bench.dashboard_answers import answers, last_minutes
from app.bench.dashboard_picture import draw
from app.observability.dashboards import dashboards


def add_dashboards(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command's options."""
    drawn = commands.add_parser("dashboards", help="the Grafana dashboards as pictures")
    drawn.add_argument("--prometheus", default="http://127.0.0.1:9090", metavar="URL")
    drawn.add_argument("--out", type=Path, default=Path("out/dashboards"), metavar="FOLDER")
    drawn.add_argument("--minutes", type=_minutes, default=60.0, help="up to now; default: 60")


def run_dashboards(args: argparse.Namespace) -> int:
    """Write a PNG of each dashboard, and say which panels have no data or no finite value."""
    span = last_minutes(args.minutes)
    with httpx.Client(base_url=args.prometheus, timeout=30, trust_env=False) as http:
        for board in dashboards():
            shown = answers(http, board, span)
            file = args.out / f"{board.name}.png"
            draw(board, shown, span, file)
            print(f"{board.title}: {file.resolve()}")
            for answer in shown:
                if not answer.series:
                    print(f"  no data: {answer.panel.title}")
                elif answer.odd:
                    print(f"  infinite at times: {answer.panel.title}")
                elif all(math.isnan(series.last) for series in answer.series):
                    print(f"  no number: {answer.panel.title}")
    return 0


def _minutes(text: str) -> float:
    minutes = float(text)
    if not 0 < minutes < math.inf:
        raise argparse.ArgumentTypeError("more than 0")
    return minutes
