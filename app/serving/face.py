"""The FaceAnalyzer deployment: faces of a photo, on CPU."""

import asyncio
import threading
from collections.abc import Sequence

import numpy as np
from ray import serve

from app.face.analyzer import FaceAnalyzer as Analyzer
from app.face.config import FaceConfig
from app.face.nets import FaceNets
from app.serving.announcement import announce
from app.serving.batching import CONCURRENT_BATCHES, Slot, Ticket
from app.serving.meters import Meters, SlotMeter
from app.values import FaceMesh, FaceQuery, ModelCard
from app.weights.config import WeightsConfig
from app.weights.store import WeightStore

MAX_IMAGES = 8
"""Images that one run takes; the nets see one at a time."""

CARD = ModelCard(
    "face", "mediapipe", "litert", "float16", "Apache-2.0", embedded=False, weights="published"
)


class FaceAnalyzer:
    """Finds the faces of photos; not ready while the face nets are missing."""

    def __init__(self, face: FaceConfig, weights: WeightsConfig) -> None:
        self._config = face
        self._weights = weights
        self._analyzer: Analyzer | None = None
        self._loading = threading.Lock()
        meter = SlotMeter(Meters(), "face")
        self._slot = Slot(self._analyze, MAX_IMAGES, "face", frames=lambda _: 1, observer=meter)

    async def ready(self) -> ModelCard:
        """Return what serves this role, once the nets are loaded.

        Raises:
            WeightsError: a net is missing or damaged; the hint says how to get it. Asked again
                after it was fetched, the deployment gets ready without a restart.
        """
        if self._analyzer is None:
            await asyncio.to_thread(self._load)
        return CARD

    def _load(self) -> Analyzer:
        """Return the nets, loaded once although probes and looks may ask for them at a time."""
        with self._loading:
            if self._analyzer is None:
                nets = FaceNets.locate(WeightStore(self._weights.folder).path)
                analyzer = Analyzer(nets, self._config)
                analyzer.analyze(np.zeros((64, 64, 3), np.uint8))  # first runs are slow
                self._analyzer = analyzer
                announce("FaceAnalyzer", CARD)
            return self._analyzer

    def _analyze(self, queries: Sequence[FaceQuery]) -> list[list[FaceMesh]]:
        analyzer = self._load()
        return [
            analyzer.search_tiles(query.pixels)
            if query.only_tiles
            else analyzer.analyze(query.pixels)
            for query in queries
        ]

    async def analyze(self, query: FaceQuery) -> list[FaceMesh] | Exception:
        """Return the faces of an image, largest first, or if there are none its profiles."""
        return await self._slot.submit(query, self.analyze_batch)

    @serve.batch(
        max_batch_size=MAX_IMAGES,
        batch_wait_timeout_s=0.0,
        max_concurrent_batches=CONCURRENT_BATCHES,
    )
    async def analyze_batch(
        self, tickets: list[Ticket[FaceQuery]]
    ) -> list[list[FaceMesh] | Exception]:
        """Return the faces of each image."""
        return await self._slot.run(tickets)
