"""`python -m app.quality`: the embedded default in figures, and in pictures for eyes."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path

import cv2
import numpy as np
import torch
from rich.console import Console
from rich.progress import track

from app.demo.run import demo_portrait
from app.errors import AppError
from app.face.analyzer import FaceAnalyzer
from app.face.config import FaceConfig
from app.face.nets import FaceNets
from app.quality.cost import frame_cost_ms
from app.quality.int8 import COUNTS, int8_figures, int8_rows
from app.quality.outside import largest_change, outside
from app.quality.passage import Passage
from app.quality.preference import PAIRS, Preference
from app.quality.sheet import contact_sheet, liveliest, word_sheet
from app.quality.sitter import Sitter, sit
from app.quality.speech import HELD_OUT, held_out, recordings
from app.quality.stillness import blink_row, jitter, jitter_rows
from app.quality.studio import Studio, encode
from app.quality.table import Row, as_markdown, as_table
from app.quality.verdicts import Talk, mouth_rows, picture_rows
from app.quality.watching import watch
from app.synthesis.corpus import Counts
from app.synthesis.utterance import SynthesisError
from app.weights.store import WeightStore

MAX_FRAME_MS = 16.7
PHOTOS = (".jpg", ".jpeg", ".png", ".webp")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    args = _parser().parse_args(argv)
    console = Console()
    # What a frame costs is counted on one thread.
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        analyzer = FaceAnalyzer(FaceNets.locate(WeightStore().path), FaceConfig())
        args.out.mkdir(parents=True, exist_ok=True)
        rows: list[Row] = []
        # It takes long: what is known so far is never lost.
        for rows in _Judge(args, analyzer, console).tables():
            (args.out / "table.md").write_text(as_markdown(rows))
    except (AppError, OSError) as error:
        print(f"app.quality: {error}", file=sys.stderr)
        return 1
    console.print(as_table(rows))
    console.print(f"Table, sheets, pairs and videos: {args.out.resolve()}")
    return 0


class _Judge:
    """Renders all talks, watches them, and keeps what is to be looked at."""

    def __init__(self, args: argparse.Namespace, analyzer: FaceAnalyzer, console: Console) -> None:
        self._out: Path = args.out
        self._seed: int = args.seed
        self._console = console
        self._analyzer = analyzer
        self._studio = Studio()
        self._sitters = list(self._sat(args.portraits, args.size))
        self._recordings = recordings(args.audio)
        self._held_out = _spoken(args.seed, HELD_OUT, console)
        self._pairs = Preference(args.out / "pairs", args.seed)

    def tables(self) -> Iterator[list[Row]]:
        """Yield the table so far, ever more of it; the last one is whole."""
        demo, found = self._recordings[0], list[Talk]()
        costs = {sitter.name: frame_cost_ms(self._studio, sitter, demo) for sitter in self._sitters}
        unheard = _spoken(self._seed, COUNTS, self._console)
        last = [_cost_row(costs), *int8_rows(int8_figures([demo], unheard))]
        yield last
        for talk in self._talks():
            found.append(talk)
            yield [*mouth_rows(found), *picture_rows(found), *last]
        jitters = {
            sitter.name: jitter(self._studio, sitter, demo, self._analyzer)
            for sitter in track(self._sitters, "Jitter", console=self._console)
        }
        rows = [*mouth_rows(found), *picture_rows(found), *jitter_rows(jitters)]
        yield [*rows, *last]
        self._console.print("Blinking for five minutes")
        blinks = blink_row(self._studio, self._sitters[0], self._analyzer, self._seed)
        yield [*rows, blinks, *last]

    def _talks(self) -> Iterator[Talk]:
        """Yield what each talk shows."""
        pairs = [(sitter, passage) for sitter in self._sitters for passage in self._recordings]
        # In turn, because so many voices on every portrait would take hours.
        pairs += zip(cycle(self._sitters), self._held_out, strict=False)
        shown = set(np.linspace(0, len(pairs) - 1, PAIRS).round().tolist())
        for number, pair in enumerate(track(pairs, "Talks", console=self._console)):
            yield self._talk(*pair, is_shown=number in shown)

    def _sat(self, portraits: Sequence[Path], size_px: int) -> list[Sitter]:
        """Return the astronaut and the photos given; those refused are told of."""
        photos = {"astronaut": demo_portrait()}
        for path in portraits:
            files = sorted(path.iterdir()) if path.is_dir() else [path]
            photos |= {f.name: f.read_bytes() for f in files if f.suffix.lower() in PHOTOS}
        sitters = []
        for name, photo in photos.items():
            try:
                sitters.append(sit(name, photo, size_px, self._analyzer, self._studio.puppet))
            except AppError as error:
                self._console.print(f"{name} is refused: {error}")
        return sitters

    def _talk(self, sitter: Sitter, passage: Passage, is_shown: bool) -> Talk:
        """Render a talk with both mouths, watch them, and write sheets and video."""
        still = sitter.mesh.points
        ours = self._studio.talk(sitter, passage, "ours", self._seed)
        energy = self._studio.talk(sitter, passage, "energy", self._seed)
        seen, rival = (watch(frames, self._analyzer, still) for frames in (ours, energy))
        name = f"{sitter.name}-{passage.name}"
        # By both mouths, so that neither chooses the word.
        first = liveliest(seen.gap + rival.gap)
        words = [
            word_sheet(frames, watched.points, first)
            for frames, watched in ((ours, seen), (energy, rival))
        ]
        if is_shown:
            self._pairs.add(*words)
        self._write(name, contact_sheet(ours, seen.points))
        self._write(f"{name}-word", words[0])
        sound = passage.speech.sound
        (self._out / f"{name}.mp4").write_bytes(encode(ours, sound))
        place = outside(still, *ours.shape[1:3])
        return Talk(
            sitter=sitter.name,
            passage=passage,
            gap=seen.gap,
            energy_gap=rival.gap,
            found=float(seen.seen.mean()),
            distortion=float(seen.distortion(still).max()),
            outside=largest_change(ours, sitter.portrait.pixels, place),
        )

    def _write(self, name: str, sheet: "cv2.typing.MatLike") -> None:
        cv2.imwrite(str(self._out / f"{name}.png"), sheet[:, :, ::-1])


def _spoken(seed: int, counts: Counts, console: Console) -> list[Passage]:
    """Return held-out speech; none where the engines that speak it are not installed."""
    try:
        return held_out(seed, counts)
    except SynthesisError as error:
        console.print(f"No synthetic speech: {error}")
        return []


def _cost_row(costs_ms: dict[str, float]) -> Row:
    """Return the row of what a frame costs, by portrait."""
    dearest = max(costs_ms, key=lambda name: costs_ms[name])
    return Row(
        "CPU per frame, one thread, without encoding",
        f"{sum(costs_ms.values()) / len(costs_ms):.1f} ms",
        f"at most {MAX_FRAME_MS} ms at 512 px",
        costs_ms[dearest] <= MAX_FRAME_MS,
        f"{costs_ms[dearest]:.1f} ms {dearest}",
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m app.quality", description=__doc__)
    parser.add_argument(
        "portraits", type=Path, nargs="*", help="photos, or folders of them, beside the astronaut"
    )
    parser.add_argument(
        "--audio", type=Path, nargs="*", default=[], help="recordings beside the demo's"
    )
    parser.add_argument("--size", type=int, default=512, help="longer side, px")
    parser.add_argument("--seed", type=int, default=0, help="of motion and of the pairs' order")
    parser.add_argument("--out", type=Path, default=Path("out/quality"))
    return parser


if __name__ == "__main__":
    sys.exit(main())
