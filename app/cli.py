"""The `digital-human` command."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import httpx

from app import __version__
from app.client.talk import Refused, talk
from app.demo.run import run_demo
from app.errors import AppError, NotReady


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    args = _parser().parse_args(argv)
    try:
        if args.command == "demo":
            run_demo(args.config, args.portrait, args.audio, args.out)
        else:
            _talk(args)
    except (AppError, Refused, OSError, httpx.HTTPError) as error:
        print(f"digital-human: {error}", file=sys.stderr)
        return 1
    return 0


def _talk(args: argparse.Namespace) -> None:
    """Send media to a running server and write the answer."""
    options = {name: value for name in OPTIONS if (value := getattr(args, name)) is not None}
    portrait, audio = args.portrait.read_bytes(), args.audio.read_bytes()
    try:
        made = talk(args.url, portrait, audio, options, args.key)
    except httpx.ConnectError:
        raise NotReady(f"No server answers at {args.url}.", "Start one; see the README.") from None
    args.out.write_bytes(made.video)
    print(f"{args.out}: {made.headers['x-digital-human-frames']} frames, {made.total_s:.1f} s")


OPTIONS = {
    "fps": "frames per second, 1 to 60",
    "size": "longer side in px, 256 to 1024, or `source`",
    "motion": "`idle` or `none`",
    "face_index": "which face, 0 the largest",
    "seed": "of the idle motion",
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("digital-human", description="Talking portraits.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)

    demo = commands.add_parser("demo", help="start a server, make one video, stop the server")
    demo.add_argument("portrait", type=Path, nargs="?", help="photo (default: an astronaut)")
    demo.add_argument(
        "audio", type=Path, nargs="?", help="recording (default: 10 s of synthetic speech)"
    )
    demo.add_argument(
        "--config", type=Path, default=Path("serve_config.yaml"), help="default: %(default)s"
    )
    demo.add_argument("--out", type=Path, default=Path("talk.mp4"), help="default: %(default)s")

    send = commands.add_parser("talk", help="send a photo and a recording to a running server")
    send.add_argument("portrait", type=Path, help="photo")
    send.add_argument("audio", type=Path, help="recording")
    send.add_argument("--url", default="http://127.0.0.1:8000", help="default: %(default)s")
    send.add_argument("--out", type=Path, default=Path("talk.mp4"), help="default: %(default)s")
    send.add_argument("--key", default="", help="API key, where the server wants one")
    for name, text in OPTIONS.items():
        send.add_argument(f"--{name.replace('_', '-')}", help=text)
    return parser
