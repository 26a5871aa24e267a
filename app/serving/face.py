"""The FaceAnalyzer deployment: faces of a photo, on CPU."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from ray import serve

from app.errors import NotReady, WeightsError
from app.face.analyzer import FaceAnalyzer as Analyzer
from app.face.config import FaceConfig
from app.face.nets import FaceNets
from app.serving.batching import run_batch
from app.values import FaceMesh, ModelCard
from app.weights.config import WeightsConfig
from app.weights.store import WeightStore

CARD = ModelCard("face", "mediapipe", "litert", "float16", "Apache-2.0", embedded=False)


class FaceAnalyzer:
    """Finds the faces of photos; not ready while the face nets are missing."""

    def __init__(self, face: FaceConfig, weights: WeightsConfig) -> None:
        self._config = face
        self._weights = weights
        self._analyzer: Analyzer | None = None
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="face")

    async def ready(self) -> ModelCard:
        """Return what serves this role, once the nets are loaded.

        Raises:
            NotReady: a net is missing or damaged; the hint says how to get it. Asked again
                after it was fetched, the deployment gets ready without a restart.
        """
        await asyncio.get_running_loop().run_in_executor(self._executor, self._load)
        return CARD

    def _load(self) -> Analyzer:
        if self._analyzer is None:
            try:
                nets = FaceNets.locate(WeightStore(self._weights.folder).path)
            except WeightsError as error:
                raise NotReady(error.detail, error.hint) from None
            analyzer = Analyzer(nets, self._config)
            analyzer.analyze(np.zeros((64, 64, 3), np.uint8))  # first runs are slow
            self._analyzer = analyzer
        return self._analyzer

    def _analyze(self, images: Sequence[NDArray[np.uint8]]) -> list[list[FaceMesh]]:
        analyzer = self._load()
        return [analyzer.analyze(image) for image in images]

    @serve.batch(max_batch_size=8, batch_wait_timeout_s=0.0)
    async def analyze(self, images: list[NDArray[np.uint8]]) -> list[list[FaceMesh] | Exception]:
        """Return the faces of each (H, W, 3) uint8 RGB image, largest first."""
        return await run_batch(self._executor, self._analyze, images)
