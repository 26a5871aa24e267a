"""The `digital-human` command."""

import argparse
import mimetypes
import sys
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path

import httpx

from app import __version__
from app.client.frames import RATE_HZ, FrameStream
from app.client.talk import Refused, post
from app.demo.run import run_demo
from app.errors import AppError, NotReady
from app.report import read_report

CLIP = {
    "fps": "frames per second, 1 to 60",
    "size": "longer side in px, 256 to 1024, or `source`",
    "face_index": "which face, 0 the largest",
}
SWITCH = "true or false"


@dataclass(frozen=True, slots=True)
class Command:
    """One route as a command.

    Attributes:
        help: what it does.
        files: its positional arguments, by the names of their parts.
        options: its text fields.
        out: where the answer is written by default.
        optional: a file that may be given as an option.
    """

    help: str
    files: dict[str, str]
    options: dict[str, str]
    out: str
    optional: str = ""


COMMANDS = {
    "talk": Command(
        "send a photo and a recording to a running server",
        {"portrait": "photo", "audio": "recording"},
        CLIP
        | {"motion": "`idle`, `none` or `file`", "seed": "of the idle motion"}
        | {"pace": "`free`, or `live`: as fast as the video plays"},
        "talk.mp4",
        optional="driving",
    ),
    "animate": Command(
        "make a photo follow a driving video or motion sequence",
        {"portrait": "photo", "driving": "video, or .npz of `motions`"},
        CLIP
        | {
            "mode": "`relative` or `absolute`",
            "region": "`all`, `pose`, `exp`, `eyes` or `lip`",
            "multiplier": "of all movement, 0 to 3",
            "stitching": SWITCH,
            "retarget_eyes": SWITCH,
            "retarget_lips": SWITCH,
            "crop": SWITCH,
        },
        "animate.mp4",
    ),
    "lipsync": Command(
        "make the mouth in a video or a photo follow a recording",
        {"video": "video of someone's face, or a photo", "audio": "recording"},
        CLIP,
        "lipsync.mp4",
    ),
    "motions": Command(
        "record a motion sequence from a driving video",
        {"driving": "video"},
        {name: CLIP[name] for name in ("fps", "face_index")},
        "motion.npz",
    ),
}
"""By the last part of the route."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    args = _parser().parse_args(argv)
    try:
        if args.command == "demo":
            run_demo(args.config, args.portrait, args.audio, args.out)
        elif args.command == "frames":
            _send_frames(args)
        else:
            _send(COMMANDS[args.command], args)
    except (AppError, Refused, OSError, httpx.HTTPError, wave.Error) as error:
        print(f"digital-human: {error}", file=sys.stderr)
        return 1
    return 0


def _send(command: Command, args: argparse.Namespace) -> None:
    """Send media to a running server and write the answer."""
    fields = {name: value for name in command.options if (value := getattr(args, name)) is not None}
    names = [*command.files, *([command.optional] if command.optional else [])]
    files = {name: path.read_bytes() for name in names if (path := getattr(args, name))}
    if command.optional in files:
        fields.setdefault("motion", "file")
    if "video" in files and (mimetypes.guess_type(args.video)[0] or "").startswith("image/"):
        files["portrait"] = files.pop("video")
    try:
        made = post(args.url, f"/v1/{args.command}", files, fields, args.key)
    except httpx.ConnectError:
        raise NotReady(f"No server answers at {args.url}.", "Start one; see the README.") from None
    args.out.write_bytes(made.video)
    frames = made.headers["x-digital-human-frames"]
    report = read_report(made.video) or {}
    header = made.headers.get("x-digital-human-frames-without-face", "0")
    lost = report.get("frames_without_face", int(header))
    without = f" ({lost} without a face)" if lost else ""
    late = f", {report['late_frames']} late" if "late_frames" in report else ""
    print(f"{args.out}: {frames} frames{without}{late}, {made.total_s:.1f} s")
    print(f"Made by: {made.headers.get('x-digital-human-models', 'unknown')}")
    if notes := made.headers.get("x-digital-human-notes"):
        print(f"Notes: {notes}")


def _send_frames(args: argparse.Namespace) -> None:
    """Send a recording chunk by chunk and write the frames as they come."""
    with wave.open(str(args.audio)) as recording:
        if recording.getparams()[:3] != (1, 2, RATE_HZ):
            raise wave.Error("The recording is no mono WAV of 16 bits and 16 kHz.")
        speech = recording.readframes(recording.getnframes())
    args.out.mkdir(parents=True, exist_ok=True)
    options = {"size": args.size} if args.size else {}
    photo = args.portrait.read_bytes()
    made = 0
    with FrameStream(args.url, photo, args.fps, args.chunk_frames, options, args.key) as stream:
        for jpeg in chain(stream.push(speech), stream.finish()):
            (args.out / f"{made:06}.jpg").write_bytes(jpeg)
            made += 1
    print(f"{args.out}: {made} frames")


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
    for name, command in COMMANDS.items():
        _add(commands.add_parser(name, help=command.help), command)
    frames = commands.add_parser("frames", help="send speech chunk by chunk, get single frames")
    frames.add_argument("portrait", type=Path, help="photo")
    frames.add_argument("audio", type=Path, help="recording: WAV, mono, 16 bits, 16 kHz")
    frames.add_argument("--fps", type=Fraction, default=Fraction(25), help="default: %(default)s")
    frames.add_argument("--size", help=CLIP["size"])
    frames.add_argument(
        "--chunk-frames",
        type=int,
        default=5,
        choices=range(1, 61),
        metavar="N",
        help="frames of one request, a second of them at most (default: %(default)s)",
    )
    _add_server(frames, Path("frames"))
    return parser


def _add_server(send: argparse.ArgumentParser, out: Path) -> None:
    send.add_argument("--url", default="http://127.0.0.1:8000", help="default: %(default)s")
    send.add_argument("--out", type=Path, default=out, help="default: %(default)s")
    send.add_argument("--key", default="", help="API key, where the server wants one")


def _add(send: argparse.ArgumentParser, command: Command) -> None:
    for part, text in command.files.items():
        send.add_argument(part, type=Path, help=text)
    if command.optional:
        send.add_argument(
            f"--{command.optional}",
            type=Path,
            help="driving video or .npz; --motion is `file` then",
        )
    _add_server(send, Path(command.out))
    for option, text in command.options.items():
        send.add_argument(f"--{option.replace('_', '-')}", help=text)
