"""The LipSync deployment: mouths that follow the speech."""

import numpy as np
from numpy.typing import NDArray
from ray import serve

from app.serving.batching import CONCURRENT_BATCHES, Slot, Ticket
from app.serving.meters import Meters, SlotMeter
from app.values import LipGroup, ModelCard
from app.variants.config import LipsConfig
from app.variants.lips import LipModel
from app.variants.viseme import Viseme

MAX_CALLS = 4
"""Calls that one engine run joins: with groups of 8 frames, 32 frames."""


class LipSync:
    """Repaints mouth crops after the speech; keeps no state of a session."""

    def __init__(self, config: LipsConfig) -> None:
        self._model = _load(config)
        meter = SlotMeter(Meters(), "lips")
        self._slot = Slot(self._model.paint, MAX_CALLS, "lips", frames=len, observer=meter)

    async def ready(self) -> ModelCard:
        """Return what serves this role; the embedded variant needs no weights."""
        return self._model.card

    async def paint(self, group: LipGroup) -> NDArray[np.uint8] | Exception:
        """Return the repainted crops of a group."""
        return await self._slot.submit(group, self.paint_batch)

    @serve.batch(
        max_batch_size=MAX_CALLS,
        batch_wait_timeout_s=0.0,
        max_concurrent_batches=CONCURRENT_BATCHES,
    )
    async def paint_batch(
        self, tickets: list[Ticket[LipGroup]]
    ) -> list[NDArray[np.uint8] | Exception]:
        """Return the repainted crops of each group."""
        return await self._slot.run(tickets)


def _load(config: LipsConfig) -> LipModel:
    """Return the model of a variant."""
    match config.variant:
        case "viseme":
            return Viseme()
