"""The FaceAnalyzer deployment: faces of photos and videos, on CPU."""

import asyncio
import threading
from collections.abc import Sequence
from contextlib import suppress

import numpy as np
from ray import serve

from app.errors import NotReady, WeightsError
from app.face.analyzer import FaceAnalyzer as Analyzer
from app.face.config import FaceConfig
from app.face.nets import FaceNets
from app.face.tracking import Followed, FollowQuery, follow
from app.observability.config import TracingConfig
from app.observability.origin import NOBODY, Origin
from app.serving.announcement import announce
from app.serving.batching import CONCURRENT_BATCHES, Slot, Ticket
from app.serving.logs import ToServe
from app.serving.meters import Meters, SlotMeter
from app.serving.run_traces import RunTraces
from app.serving.tracing import tracer_of
from app.values import FaceMesh, FaceQuery, ModelCard
from app.weights.config import WeightsConfig
from app.weights.store import WeightStore

Query = FaceQuery | FollowQuery
Answer = list[FaceMesh] | Followed

MAX_CALLS = 8
"""Calls that one run takes; the nets see one image at a time."""

CARD = ModelCard(
    "face", "mediapipe", "litert", "float16", "Apache-2.0", embedded=False, weights="published"
)


class FaceAnalyzer:
    """Finds and follows faces; not ready while the face nets are missing."""

    def __init__(
        self, face: FaceConfig, weights: WeightsConfig, tracing: TracingConfig | None = None
    ) -> None:
        ToServe.attach()
        self._config = face
        self._weights = weights
        self._analyzer: Analyzer | None = None
        self._loading = threading.Lock()
        traces = RunTraces(tracer_of(tracing, "FaceAnalyzer"), "face", lambda: CARD)
        self._meter = SlotMeter(Meters(), "face", MAX_CALLS)
        work = self._meter.timed(self._analyze)
        self._slot: Slot[Query, Answer] = Slot(
            work, MAX_CALLS, "face", _images, self._meter, traces.ran
        )
        # Told by `ready`; raised here, Ray would try again and give up.
        with suppress(NotReady, WeightsError):
            self._load()

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
                self._meter.serves(CARD)
            return self._analyzer

    def _analyze(self, queries: Sequence[Query]) -> list[Answer]:
        analyzer = self._load()
        return [_answer(analyzer, query) for query in queries]

    async def analyze(self, query: FaceQuery, origin: Origin = NOBODY) -> Answer | Exception:
        """Return the faces of an image, largest first, or if there are none its profiles."""
        return await self._slot.submit(query, self.analyze_batch, origin)

    async def follow(self, query: FollowQuery, origin: Origin = NOBODY) -> Answer | Exception:
        """Return where a face is in consecutive frames of a video."""
        return await self._slot.submit(query, self.analyze_batch, origin)

    @serve.batch(
        max_batch_size=MAX_CALLS,
        batch_wait_timeout_s=0.0,
        max_concurrent_batches=CONCURRENT_BATCHES,
    )
    async def analyze_batch(self, tickets: list[Ticket[Query]]) -> list[Answer | Exception]:
        """Return the answer to each query."""
        return await self._slot.run(tickets)


def _images(query: Query) -> int:
    return len(query.pixels) if isinstance(query, FollowQuery) else 1


def _answer(analyzer: Analyzer, query: Query) -> Answer:
    match query:
        case FollowQuery():
            return follow(analyzer, query)
        case FaceQuery(only_tiles=True):
            return analyzer.search_tiles(query.pixels)
        case FaceQuery():
            return analyzer.analyze(query.pixels)
