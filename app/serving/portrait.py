"""The PortraitAnimator deployment: frames of a moving portrait."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from ray import serve

from app.serving.batching import run_batch
from app.serving.calls import AnimateCall, Sitter
from app.values import FrameGroup, ModelCard
from app.variants.config import PortraitConfig
from app.variants.portrait import PortraitModel
from app.variants.puppet import Prepared, Puppet

BATCH_CALLS = 4
"""Calls that one engine run joins: with groups of 8 frames, 32 frames."""


class PortraitAnimator:
    """Animates portraits; keeps no state of a session but a bounded cache of prepared sitters."""

    def __init__(self, config: PortraitConfig) -> None:
        self._cache_bytes = config.cache_bytes
        self._model = _load(config)
        self._prepared: OrderedDict[str, Prepared] = OrderedDict()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="portrait")

    async def ready(self) -> ModelCard:
        """Return what serves this role; the embedded variant needs no weights."""
        return self._model.card

    @serve.batch(max_batch_size=BATCH_CALLS, batch_wait_timeout_s=0.0)
    async def animate(self, calls: list[AnimateCall]) -> list[FrameGroup | Exception]:
        """Return the frames of each call."""
        missing = {call.key: call.sitter for call in calls if call.key not in self._prepared}
        fetched = await asyncio.gather(*missing.values(), return_exceptions=True)
        sitters = dict(zip(missing, fetched, strict=True))

        def work(batch: Sequence[AnimateCall]) -> list[FrameGroup]:
            items = [(self._prepare(call.key, sitters), call.motion) for call in batch]
            return self._model.animate(items)

        answers = await run_batch(self._executor, work, calls)
        self._evict()
        return answers

    def _prepare(self, key: str, sitters: dict[str, Sitter | BaseException]) -> Prepared:
        """Return a sitter's prepared form, from the cache where it can."""
        if key not in self._prepared:
            sitter = sitters[key]
            if isinstance(sitter, BaseException):
                raise sitter
            self._prepared[key] = self._model.prepare(sitter.portrait, sitter.mesh)
        self._prepared.move_to_end(key)
        return self._prepared[key]

    def _evict(self) -> None:
        """Drop the least recently used sitters beyond the bound; the newest always stays."""
        held = sum(map(self._model.size_bytes, self._prepared.values()))
        while held > self._cache_bytes and len(self._prepared) > 1:
            _, oldest = self._prepared.popitem(last=False)
            held -= self._model.size_bytes(oldest)


def _load(config: PortraitConfig) -> PortraitModel[Prepared]:
    """Return the model of a variant."""
    match config.variant:
        case "puppet":
            return Puppet()
