"""`python -m app.quality`: renders photos through a server, for eyes and in figures."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from app.client.server import LocalServer
from app.client.talk import Refused, talk
from app.demo.run import demo_portrait, demo_speech
from app.errors import AppError
from app.face.analyzer import FaceAnalyzer
from app.face.config import FaceConfig
from app.face.nets import FaceNets
from app.media.frames import decode_frames
from app.media.samples import decode_mono
from app.quality.sheet import Figures, contact_sheet, judge
from app.weights.store import WeightStore

FPS = Fraction(25)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    args = _parser().parse_args(argv)
    console = Console()
    try:
        analyzer = FaceAnalyzer(FaceNets.locate(WeightStore().path), FaceConfig())
        rows = _render_all(args, analyzer)
    except (AppError, OSError) as error:
        print(f"app.quality: {error}", file=sys.stderr)
        return 1
    console.print(_table(rows))
    console.print(f"Contact sheets and videos: {args.out.resolve()}")
    return 0


def _render_all(
    args: argparse.Namespace, analyzer: FaceAnalyzer
) -> list[tuple[str, Figures | str]]:
    """Render every photo with the recording; write video and contact sheet of each."""
    speech = args.audio.read_bytes() if args.audio else demo_speech()
    photos = {path.name: path.read_bytes() for path in args.portraits}
    photos = photos or {"astronaut": demo_portrait()}
    args.out.mkdir(parents=True, exist_ok=True)
    rows: list[tuple[str, Figures | str]] = []
    with LocalServer(args.config) as server:
        for name, photo in track(photos.items(), "Rendering", total=len(photos)):
            try:
                video = talk(server.url, photo, speech, {"size": str(args.size)}).video
            except Refused as refused:
                rows.append((name, str(refused.problem["code"])))
                continue
            (args.out / f"{name}.mp4").write_bytes(video)
            frames = list(decode_frames(video))
            sheet = contact_sheet(frames, analyzer)
            cv2.imwrite(str(args.out / f"{name}.png"), sheet[:, :, ::-1])
            rows.append((name, judge(frames, levels_db(speech, len(frames)), analyzer)))
    return rows


def levels_db(audio: bytes, num_frames: int) -> NDArray[np.float32]:
    """Return the RMS level of the sound beneath each frame, dB."""
    samples, rate_hz = decode_mono(audio)
    edges = [round(i / FPS * rate_hz) for i in range(num_frames + 1)]
    parts = (samples[a:b] for a, b in pairwise(edges))
    powers = [float(np.mean(part**2)) if len(part) else 0.0 for part in parts]
    return (10 * np.log10(np.array(powers) + 1e-6)).astype(np.float32)


def _table(rows: Iterable[tuple[str, Figures | str]]) -> Table:
    table = Table("portrait", "face found", "mouth opening", "opening ~ level", "border change")
    for name, row in rows:
        if isinstance(row, str):
            table.add_row(name, f"refused: {row}", "", "", "")
        else:
            table.add_row(
                name,
                f"{row.faces_found:.0%}",
                f"{row.opening:.3f} eye distances",
                f"{row.loud_opening:+.2f}",
                f"{row.border_change:.2f} of 255",
            )
    return table


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m app.quality", description=__doc__)
    parser.add_argument("portraits", type=Path, nargs="*", help="photos (default: the astronaut)")
    parser.add_argument("--audio", type=Path, help="recording (default: the demo's)")
    parser.add_argument("--size", type=int, default=512, help="longer side, px")
    parser.add_argument("--out", type=Path, default=Path("out/quality"))
    parser.add_argument("--config", type=Path, default=Path("serve_config.yaml"))
    return parser


if __name__ == "__main__":
    sys.exit(main())
