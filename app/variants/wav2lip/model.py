"""The published variant of the lip-sync role: Wav2Lip."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from app.runtime.choice import best_engine
from app.runtime.config import RuntimeConfig
from app.runtime.engine import Engine
from app.runtime.nets import NETS
from app.values import LipGroup, ModelCard
from app.variants.config import CROP_PX

CHUNK_FRAMES = 8
GPU_CHUNK_FRAMES = 64


class Wav2LipModel:
    """Repaints the lower half of faces after speech.

    Args:
        engine: runs a `Painter`.
        weights: where the engine's weights come from.
        licence: of the weights.
    """

    crop_px = CROP_PX["wav2lip"]

    def __init__(
        self, engine: Engine, weights: Literal["published", "seeded"], licence: str
    ) -> None:
        self._engine = engine
        self.card = ModelCard(
            role="lips",
            variant="wav2lip",
            backend=engine.backend,
            precision=engine.precision,
            licence=licence,
            embedded=False,
            device=engine.device.type,
            weights=weights,
        )

    def paint(self, items: Sequence[LipGroup]) -> list[NDArray[np.uint8]]:
        """Return the repainted faces, (T, 96, 96, 3) uint8 RGB, one array per item."""
        lengths = [len(item) for item in items]
        if not sum(lengths):
            return [item.crops.copy() for item in items]
        painted = self._engine.run(
            torch.from_numpy(np.concatenate([item.crops for item in items])),
            torch.from_numpy(np.concatenate([item.mel for item in items])),
        ).numpy()
        return np.split(painted, np.cumsum(lengths)[:-1])


def wav2lip_engine(
    state: Mapping[str, NDArray[Any]], device: str, runtime: RuntimeConfig | None = None
) -> Engine:
    """Return Wav2Lip on a device, by the engine that the settings ask for.

    Args:
        state: the published tensors under their official names.
        device: of torch.
        runtime: settings of engines.

    Raises:
        StateMismatch: they are not this net's.
        NotReady: the settings insist on an engine that does not hold here.
    """
    chunk_frames = CHUNK_FRAMES if device == "cpu" else GPU_CHUNK_FRAMES
    net, settings = NETS["wav2lip"].net(lambda _: state), runtime or RuntimeConfig()
    return best_engine("wav2lip", net, device, settings, chunk_frames).engine
