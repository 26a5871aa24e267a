"""Runs the demo: starts the server, sends the media, writes the video and says where."""

from importlib import resources
from pathlib import Path

import cv2
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from app.client.server import LocalServer
from app.client.talk import Talk, talk
from app.errors import WeightsError


def demo_speech() -> bytes:
    """Return the demo's recording: 10 s of synthetic speech, FLAC, 16 kHz mono."""
    return resources.files("app.demo").joinpath("speech.flac").read_bytes()


def demo_portrait() -> bytes:
    """Return the demo's photo: `skimage.data.astronaut()`, a NASA portrait, as PNG.

    Raises:
        WeightsError: scikit-image is not installed.
    """
    try:
        from skimage import data
    except ImportError:
        raise WeightsError(
            "The demo's photo comes with scikit-image, which is not installed.",
            'Run: pip install "digital-human[demo]", or pass --portrait.',
        ) from None
    pixels = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR)  # type: ignore[no-untyped-call]
    _, encoded = cv2.imencode(".png", pixels)
    return encoded.tobytes()


def run_demo(config: Path, portrait: Path | None, audio: Path | None, out: Path) -> Talk:
    """Serve `config`, make one video and write it to `out`.

    Raises:
        AppError: something is missing; the hint says how to get it.
        app.client.talk.Refused: the server refused the media.
    """
    console = Console()
    photo = portrait.read_bytes() if portrait else demo_portrait()
    speech = audio.read_bytes() if audio else demo_speech()
    console.print("Starting the server (about 20 s): Ray, its proxy and four deployments.")
    server = LocalServer(config).__enter__()
    try:
        bar = (TextColumn("Rendering"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
        with Progress(*bar, console=console) as progress:
            task = progress.add_task("", total=None)
            made = talk(
                server.url,
                photo,
                speech,
                progress=lambda received: progress.update(task, completed=received),
            )
    finally:
        console.print("Stopping the server.")
        server.stop()
    out.write_bytes(made.video)
    frames = made.headers["x-digital-human-frames"]
    models = made.headers["x-digital-human-models"]
    console.print(f"Video: {out.resolve()}", soft_wrap=True)
    console.print(f"Made by: {models}")
    console.print(
        f"{frames} frames in {made.total_s:.1f} s, "
        f"the first fragment after {made.first_fragment_s:.2f} s."
    )
    return made
