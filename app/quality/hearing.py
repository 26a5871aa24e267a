"""`python -m app.quality.hearing`: how well mouth controls follow speech, before any picture.

The trained net in float32 and in INT8 by the runtime's own path, and the energy-only mouth, on
synthetic voices and languages that no training heard and on recordings whose text is known. The
gap is the one that controls ask for; `python -m app.quality` measures the one that is seen.
"""

import argparse
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from app.errors import AppError
from app.models.viseme.coarticulation import opening
from app.models.viseme.phonemes import JAW_GAP
from app.quality.energy import EnergyMouth
from app.quality.int8 import FRAMES, Listen, int8_engine, shares, speeds, windows
from app.quality.opening import closed_share, likeness, shut_in_pauses, vowel_order
from app.quality.passage import Floats, Passage
from app.quality.speech import held_out, recordings
from app.runtime.embedded import controls_net
from app.runtime.int8 import Int8Engine
from app.synthesis.corpus import Counts
from app.synthesis.utterance import SynthesisError

COUNTS = Counts(espeak=40, flite=10, festival=8)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser("python -m app.quality.hearing", description=__doc__)
    parser.add_argument("audio", type=Path, nargs="*", help="recordings, such as jfk.flac")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(argv)
    try:
        spoken = held_out(args.seed, COUNTS)
        given = recordings(args.audio)
    except (AppError, SynthesisError, OSError) as error:
        print(f"app.quality.hearing: {error}", file=sys.stderr)
        return 1
    table = Table("speech", "mouth", "opening", "lag ms", "open - close", "p b m", "pauses")
    with TemporaryDirectory() as folder, torch.inference_mode():
        int8 = int8_engine(Path(folder), spoken[::4])
        mouths: dict[str, Listen] = {"ours": controls_net(), "energy": EnergyMouth()}
        if int8:
            mouths["ours, INT8"] = int8.run
        for name, listen in mouths.items():
            table.add_row(*_row("held out", name, listen, spoken))
            for passage in given:
                table.add_row(*_row(passage.name, name, listen, [passage]))
        console = Console()
        console.print(table)
        if int8:
            console.print(_against_int8(int8, Path(folder), windows(spoken)))
    return 0


def _row(speech: str, mouth: str, listen: Listen, passages: Sequence[Passage]) -> list[str]:
    """Return a mouth's line: of several passages one after the other."""
    gaps = [opening(listen(windows([each])).numpy()) * np.float32(JAW_GAP) for each in passages]
    pauses = _mean(
        [shut_in_pauses(gap, each.pauses()) for gap, each in zip(gaps, passages, strict=True)]
    )
    known = [
        (gap, each.reference)
        for gap, each in zip(gaps, passages, strict=True)
        if each.reference is not None
    ]
    if not known:
        return [speech, mouth, "", "", "", "", f"{pauses:.1%}"]
    gap, wanted = np.concatenate([g for g, _ in known]), [r.opening for _, r in known]
    like = likeness(gap, np.concatenate(wanted))
    order = _mean([vowel_order(g, r.open_vowels, r.close_vowels) for g, r in known])
    counts = [len(r.closures) for _, r in known]
    shares = [closed_share(g, r.closures) for g, r in known]
    closed = np.nansum(np.multiply(shares, counts)) / max(1, sum(counts))
    return [
        *(speech, mouth, f"{like.correlation:.3f}", f"{1000 * like.lag_s:+.0f}"),
        *(f"{order:+.3f}", f"{closed:.0%} of {sum(counts)}", f"{pauses:.1%}"),
    ]


def _mean(values: Sequence[float]) -> float:
    """Return the mean of what could be measured; NaN where nothing could."""
    there = [value for value in values if not np.isnan(value)]
    return float(np.mean(there)) if there else float("nan")


def _against_int8(int8: Int8Engine, folder: Path, heard: torch.Tensor) -> str:
    """Return size, speed and loss of INT8 against float32."""
    net = controls_net()
    full, small = (_gap(listen, heard) for listen in (net, int8.run))
    lost = float(np.abs(full - small).mean() / (full.max() - full.min()))
    faster = statistics.median(speeds(net, int8.run, heard[:FRAMES]))
    return (
        f"INT8 of the viseme net: weights {shares(folder)[0]:.1%} of float32's, {faster:.2f} "
        f"times its speed ({FRAMES} frames, one thread, in turns), gaps differ by {lost:.2%} of "
        f"their range on average, correlation {np.corrcoef(full, small)[0, 1]:.4f}"
    )


def _gap(listen: Listen, heard: torch.Tensor) -> Floats:
    return opening(listen(heard).numpy())


if __name__ == "__main__":
    sys.exit(main())
