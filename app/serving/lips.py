"""The LipSync deployment: mouths that follow the speech."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from ray import serve

from app.serving.batching import run_batch
from app.values import LipGroup, ModelCard
from app.variants.config import LipsConfig
from app.variants.lips import LipModel
from app.variants.viseme import Viseme

BATCH_CALLS = 4
"""Calls that one engine run joins: with groups of 8 frames, 32 frames."""


class LipSync:
    """Repaints mouth crops after the speech; keeps no state of a session."""

    def __init__(self, config: LipsConfig) -> None:
        self._model = _load(config)
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="lips")

    async def ready(self) -> ModelCard:
        """Return what serves this role; the embedded variant needs no weights."""
        return self._model.card

    @serve.batch(max_batch_size=BATCH_CALLS, batch_wait_timeout_s=0.0)
    async def paint(self, groups: list[LipGroup]) -> list[NDArray[np.uint8] | Exception]:
        """Return the repainted crops of each group."""
        return await run_batch(self._executor, self._model.paint, groups)


def _load(config: LipsConfig) -> LipModel:
    """Return the model of a variant."""
    match config.variant:
        case "viseme":
            return Viseme()
