"""The embedded variant of the lip-sync role: a small net that hears, and a mouth renderer."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from app.runtime.choice import best_engine
from app.runtime.config import RuntimeConfig
from app.runtime.eager import EagerEngine
from app.runtime.embedded import viseme_net
from app.runtime.engine import Engine
from app.values import LipGroup, ModelCard
from app.variants.config import CROP_PX

RUN_PX = 1 << 18
"""Four crops of 256 x 256: on a CPU, runs beyond it spend their time on fresh pages of memory (of
the renderer's 32 frames at once: 9.7 against 6.3 ms a frame, 16: 13.4 against 7.8)."""

GPU_RUN_PX = 1 << 22
"""64 crops of 256 x 256: on a GPU only memory is a bound, here of about a gigabyte."""


class Viseme:
    """Opens, widens, rounds and shuts the mouth of a photo after speech; its weights ship with it.

    Args:
        engine: runs a `VisemeNet`; by default the one that the settings ask for.
        device: of the default engine.
        runtime: settings of engines.
    """

    crop_px = CROP_PX["viseme"]

    def __init__(
        self,
        engine: Engine | None = None,
        device: str = "cpu",
        runtime: RuntimeConfig | None = None,
    ) -> None:
        self._engine = engine or _engine(device, runtime or RuntimeConfig())
        # Engines are built for one side of crops.
        self._any_side = engine or _AnySide(device)
        self.card = ModelCard(
            role="lips",
            variant="viseme",
            backend=self._engine.backend,
            precision=self._engine.precision,
            licence="Apache-2.0",
            embedded=True,
            device=self._engine.device.type,
        )

    def paint(self, items: Sequence[LipGroup]) -> list[NDArray[np.uint8]]:
        """Return the repainted crops, (T, S, S, 3) uint8 RGB, one array per item.

        Items of one S share runs of the engine.
        """
        batches: defaultdict[int, list[int]] = defaultdict(list)
        for index, item in enumerate(items):
            if len(item):
                batches[item.crops.shape[1]].append(index)
        painted: dict[int, NDArray[np.uint8]] = {}
        for side, batch in batches.items():
            crops = self._run(side, [items[index] for index in batch])
            painted.update(zip(batch, crops, strict=True))
        return [painted.get(index, item.crops) for index, item in enumerate(items)]

    def _run(self, side: int, items: Sequence[LipGroup]) -> list[NDArray[np.uint8]]:
        """Return the repainted crops of items whose crops have one side, in px."""
        engine = self._engine if side == self.crop_px else self._any_side
        crops, points, mel = (
            torch.from_numpy(np.concatenate([getattr(item, name) for item in items]))
            for name in ("crops", "points", "mel")
        )
        painted = engine.run(crops, points, mel).numpy()
        return np.split(painted, np.cumsum([len(item) for item in items])[:-1])


class _AnySide(EagerEngine):
    """Runs crops of any side, as many at once as suit it."""

    def __init__(self, device: str) -> None:
        super().__init__(viseme_net(), device)
        self._run_px = _run_px(device)

    def run(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return the repainted crops of a batch, on the CPU."""
        step = max(1, self._run_px // inputs[0].shape[1] ** 2)
        starts = range(0, len(inputs[0]), step)
        parts = [super(_AnySide, self).run(*(t[i : i + step] for t in inputs)) for i in starts]
        return parts[0] if len(parts) == 1 else torch.cat(parts)


def _engine(device: str, runtime: RuntimeConfig) -> Engine:
    """Return the engine that the settings ask for."""
    chunk_frames = _run_px(device) // Viseme.crop_px**2
    return best_engine("viseme", viseme_net(), device, runtime, chunk_frames).engine


def _run_px(device: str) -> int:
    return RUN_PX if device == "cpu" else GPU_RUN_PX
