"""`python -m app.training`: synthesises speech and fits the nets that this product ships.

`viseme` is the net from speech to mouth controls, `aligner` the one that `app.quality` aligns
recordings to their texts with; `energy` prints the numbers of the mouth that follows loudness
alone. Debian's espeak-ng, flite and festival with the voices of `app.synthesis.voices` have to be
installed, or those of them that `--engines` names; the shipped nets heard all three.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

import app
from app.errors import AppError
from app.quality.alignment import WEIGHTS as ALIGNER_WEIGHTS
from app.synthesis.corpus import Counts, utterances
from app.synthesis.utterance import SynthesisError, Utterance
from app.training.aligner import fit_aligner
from app.training.clips import Clip, spoken_clip, wordless_clip
from app.training.energy import fit_energy
from app.training.fit import fit
from app.training.schedule import Schedule
from app.weights.embedded import write_embedded

_COUNTS: Final = Counts(espeak=900, flite=450, festival=70)
_ENGINES: Final = tuple(each.name for each in fields(Counts))
_SPOKEN, _TOGETHER, _WORDLESS = 950, 3, 120
_WORDLESS_S: Final = 8.0
_PACKAGE: Final = Path(app.__file__).parent
_FILES: Final = {
    "viseme": _PACKAGE / "models" / "viseme" / "controls.safetensors",
    "aligner": _PACKAGE / "quality" / ALIGNER_WEIGHTS,
}
_STEPS: Final = {"viseme": 7500, "aligner": 5000}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    args = _parser().parse_args(argv)
    try:
        clips = clips_of(args.seed, args.processes, args.share, args.engines)
        print(f"{len(clips)} clips after {time.process_time():.0f} s", flush=True)
        if args.net == "energy":
            print(fit_energy(clips))
            return 0
        schedule = Schedule(steps=args.steps or _STEPS[args.net], batch=48)
        path = args.out or _FILES[args.net]
        if args.net == "viseme":
            net = fit(clips, schedule, args.seed, print, args.device)
            tensors = {name: value.numpy() for name, value in net.state_dict().items()}
        else:
            tensors = dict(fit_aligner(clips, schedule, args.seed, print, args.device))
        write_embedded(path, tensors, {"net": args.net, "seed": str(args.seed)})
    except (AppError, SynthesisError, OSError) as error:
        print(f"app.training: {error}", file=sys.stderr)
        return 1
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")
    return 0


def clips_of(
    seed: int, processes: int, share: float = 1.0, engines: Sequence[str] = _ENGINES
) -> list[Clip]:
    """Return the training clips; all of them depend on the seed alone.

    Args:
        seed: of texts, voices and augmentation.
        processes: that share the work.
        share: of the usual amount, in (0, 1].
        engines: that speak, of "espeak", "flite" and "festival".

    Raises:
        SynthesisError: an engine or a voice is not installed.
    """
    usual = asdict(_COUNTS)
    counts = Counts(
        **{name: max(1, round(share * usual[name])) * (name in engines) for name in _ENGINES}
    )
    said = utterances("training", counts, seed, processes)
    order = np.random.default_rng(seed).permutation(len(said))
    heaps = [order[at : at + _TOGETHER] for at in range(0, len(order) - _TOGETHER, _TOGETHER)]
    jobs: list[list[Utterance]] = [[said[i] for i in heap] for heap in heaps][:_SPOKEN]
    jobs += [[] for _ in range(max(1, round(share * _WORDLESS)))]
    with ProcessPoolExecutor(processes) as pool:
        return list(pool.map(partial(_clip, seed), range(len(jobs)), jobs, chunksize=8))


def _clip(seed: int, number: int, said: Sequence[Utterance]) -> Clip:
    """Return one clip, of what is said, or without words."""
    draw = np.random.default_rng([seed, number])
    return spoken_clip(said, draw) if said else wordless_clip(_WORDLESS_S, draw)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m app.training", description=__doc__)
    parser.add_argument("net", choices=[*sorted(_FILES), "energy"])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, help=f"of the optimiser (default: {_STEPS})")
    parser.add_argument("--share", type=float, default=1.0, help="of the usual clips")
    parser.add_argument("--engines", nargs="+", choices=_ENGINES, default=_ENGINES)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--device", default="cpu", help="of torch, for the fit")
    parser.add_argument("--out", type=Path, help="file (default: where the package reads it)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
