"""The embedded variant of the lip-sync role: a small net that hears, and a mouth renderer."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from app.runtime.choice import best_engine
from app.runtime.config import RuntimeConfig
from app.runtime.embedded import viseme_net
from app.runtime.engine import Engine
from app.values import LipGroup, ModelCard
from app.variants.config import CROP_PX

CHUNK_FRAMES = 4
"""Frames of one run on a CPU: more at once spend their time on fresh pages of memory (32 frames:
9.7 against 6.3 ms a frame, 16: 13.4 against 7.8; medians of 9 interleaved runs, one thread)."""

GPU_CHUNK_FRAMES = 64
"""Frames of one run on a GPU: only memory is a bound, here of about a gigabyte."""


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
        chunk_frames = CHUNK_FRAMES if device == "cpu" else GPU_CHUNK_FRAMES
        settings = runtime or RuntimeConfig()
        self._engine = (
            engine or best_engine("viseme", viseme_net(), device, settings, chunk_frames).engine
        )
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
        """Return the repainted crops, (T, S, S, 3) uint8 RGB, one array per item."""
        lengths = [len(item) for item in items]
        if not sum(lengths):
            return [item.crops.copy() for item in items]
        painted = self._engine.run(
            torch.from_numpy(np.concatenate([item.crops for item in items])),
            torch.from_numpy(np.concatenate([item.points for item in items])),
            torch.from_numpy(np.concatenate([item.mel for item in items])),
        ).numpy()
        return np.split(painted, np.cumsum(lengths)[:-1])
