"""Pairs of sheets for fresh eyes: ours and the energy-only mouth, in random order, unnamed."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

PAIRS = 10
GAP_PX = 24


@dataclass(slots=True)
class Preference:
    """Writes pairs to a folder, and which half is ours to a file beside it.

    Args:
        folder: for `pair-01.png` and so on; the key is `key.json` in its parent.
        seed: of the order.
    """

    folder: Path
    seed: int
    _key: dict[str, str] = field(default_factory=dict)

    def add(self, ours: Image, energy: Image) -> None:
        """Write a pair, one sheet above the other; past the last pair nothing happens."""
        number = len(self._key) + 1
        if number > PAIRS:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        ours_first = bool(np.random.default_rng((self.seed, number)).integers(2))
        name = f"pair-{number:02}"
        first, second = (ours, energy) if ours_first else (energy, ours)
        between = np.full((GAP_PX, ours.shape[1], 3), 255, np.uint8)
        sheet = np.vstack([first, between, second])
        cv2.imwrite(str(self.folder / f"{name}.png"), sheet[:, :, ::-1])
        self._key[name] = "upper" if ours_first else "lower"
        (self.folder.parent / "key.json").write_text(json.dumps(self._key, indent=2) + "\n")
