"""The PortraitAnimator deployment: frames of a moving portrait, and what driving faces do."""

import asyncio
import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from ray import serve

from app.driving import Driven, DrivingFaces, Performance
from app.errors import NotReady, WeightsError
from app.observability.config import TracingConfig
from app.observability.labels import RESULTS
from app.observability.metrics import CACHE
from app.observability.origin import NOBODY, Origin
from app.runtime.buckets import bucket_up_to
from app.runtime.config import RuntimeConfig
from app.serving.announcement import announce
from app.serving.batching import (
    CONCURRENT_BATCHES,
    GROUP_FRAMES,
    Later,
    Slot,
    Ticket,
    interrupted,
)
from app.serving.cache import BoundedCache
from app.serving.calls import AnimateCall, Sitter, UnknownSitter
from app.serving.checkpoints import landmark_file, licence_of, tensors
from app.serving.gpus import keep_to_share, warn_of_idle_gpus
from app.serving.logs import ToServe
from app.serving.meters import Meters, SlotMeter
from app.serving.run_traces import RunTraces
from app.serving.speed import Pace
from app.serving.tracing import tracer_of
from app.values import FrameGroup, ModelCard, Motion
from app.variants.config import PortraitConfig
from app.variants.device import choose_device, memory_errors
from app.variants.liveportrait.landmark_net import find_landmarks
from app.variants.liveportrait.model import LivePortrait
from app.variants.liveportrait.nets import load_nets
from app.variants.portrait import PortraitModel
from app.variants.puppet import Puppet
from app.weights.config import WeightsConfig

MAX_CALLS = 4
"""Calls of 8 frames that make a full run; shorter ones are joined up to as many frames."""

Item = tuple[AnimateCall, Sitter | BaseException] | DrivingFaces
"""A call and its sitter, or why that could not be fetched; or faces to be watched."""

Answer = FrameGroup | Performance


class PortraitAnimator:
    """Animates portraits; keeps no state of a session but a bounded cache of prepared sitters."""

    def __init__(
        self,
        config: PortraitConfig,
        weights: WeightsConfig,
        runtime: RuntimeConfig | None = None,
        tracing: TracingConfig | None = None,
    ) -> None:
        ToServe.attach()
        self._config = config
        self._runtime = runtime or RuntimeConfig()
        self._weights = weights
        self._model: PortraitModel[Any] | None = None
        self._loading = threading.Lock()
        self._cache = BoundedCache[Any](
            config.cache_bytes, lambda prepared: self._load().size_bytes(prepared)
        )
        bucket = partial(bucket_up_to, self._runtime.max_batch_size)
        tracer = tracer_of(tracing, "PortraitAnimator")
        traces = RunTraces(tracer, "portrait", self._card, bucket)
        self._meters = Meters()
        for result in RESULTS:
            self._meters.begin(CACHE, model="portrait", result=result)
        self._meter = SlotMeter(self._meters, "portrait", MAX_CALLS * GROUP_FRAMES)
        work = self._meter.timed(self._work)
        self._slot: Slot[Item, Answer] = Slot(
            *(work, MAX_CALLS, "portrait", _frames, self._meter, traces.ran),
            max_frames=MAX_CALLS * GROUP_FRAMES,
        )
        # Told by `ready`; raised here, Ray would try again and give up.
        with suppress(NotReady, WeightsError):
            self._load()

    async def ready(self) -> ModelCard:
        """Return what serves this role.

        Raises:
            NotReady: the device that the settings insist on is not there.
            WeightsError: a published variant's checkpoints are absent or damaged.
        """
        if self._model is None:
            await asyncio.to_thread(self._load)
        return self._load().card

    async def pace(self) -> Pace | None:
        """Return what this replica can do; nothing before its first run."""
        return self._slot.pace()

    def _load(self) -> PortraitModel[Any]:
        """Return the model, made once although a probe and the slot may ask for it at a time."""
        with self._loading:
            if self._model is None:
                keep_to_share()
                self._model = _make(self._config, self._weights, self._runtime)
                announce("PortraitAnimator", self._model.card)
                self._meter.serves(self._model.card)
                warn_of_idle_gpus("PortraitAnimator", self._config.device, self._model.card.device)
            return self._model

    def _card(self) -> ModelCard | None:
        return self._model.card if self._model else None

    async def animate(self, call: AnimateCall, origin: Origin = NOBODY) -> Answer | Exception:
        """Return the frames of a call."""
        if call.key in self._cache:
            answer = await self._slot.submit((call, UnknownSitter()), self.animate_batch, origin)
            if not isinstance(answer, UnknownSitter):
                return answer  # else others made room for themselves before its run
        if call.sitter is None:
            return UnknownSitter()
        # From this node's shared memory and without a copy: about a millisecond.
        (sitter,) = await asyncio.gather(call.sitter, return_exceptions=True)
        return await self._slot.submit((call, sitter), self.animate_batch, origin)

    async def watch(self, faces: DrivingFaces, origin: Origin = NOBODY) -> Answer | Exception:
        """Return what driving faces do."""
        return await self._slot.submit(faces, self.animate_batch, origin)

    @serve.batch(
        max_batch_size=MAX_CALLS,
        batch_wait_timeout_s=0.0,
        max_concurrent_batches=CONCURRENT_BATCHES,
    )
    async def animate_batch(self, tickets: list[Ticket[Item]]) -> list[Answer | Exception]:
        """Return the answer to each call."""
        return await self._slot.run(tickets)

    def _work(self, items: Sequence[Item]) -> list[Answer | Later[Answer] | Exception]:
        """Run the model; on the slot's thread, the only one that touches the cache."""
        with memory_errors():
            return self._answers(items)

    def _answers(self, items: Sequence[Item]) -> list[Answer | Later[Answer] | Exception]:
        watched = [item for item in items if isinstance(item, DrivingFaces)]
        performances = iter(self._load().watch(watched) if watched else ())
        # Whose sitter is not there is answered so; raised, it would part the whole run.
        absent: dict[int, Exception] = {}
        scenes: list[tuple[Any, Motion | Driven]] = []
        for at, item in enumerate(items):
            if not isinstance(item, DrivingFaces):
                call, sitter = item
                prepared = self._prepared(call.key, sitter)
                if prepared is not None:
                    scenes.append((prepared, call.motion))
                else:
                    absent[at] = _reason(sitter)
        groups = iter(self._load().render(scenes) if scenes else ())

        def answer(at: int, item: Item) -> Answer | Later[Answer] | Exception:
            if at in absent:
                return absent[at]
            return next(performances) if isinstance(item, DrivingFaces) else Later(next(groups))

        return [answer(at, item) for at, item in enumerate(items)]

    def _prepared(self, key: str, sitter: Sitter | BaseException) -> Any | None:  # noqa: ANN401
        """Return a sitter's prepared form, from the cache where it can; None if it is absent."""
        prepared = self._cache.get(key)
        self._meters.count(CACHE, model="portrait", result="miss" if prepared is None else "hit")
        if prepared is None and isinstance(sitter, Sitter):
            prepared = self._load().prepare(sitter.portrait, sitter.mesh)
            self._cache.put(key, prepared)
        return prepared


def _reason(sitter: Sitter | BaseException) -> Exception:
    """Return why a sitter is absent, as an answer; a cancelled fetch is none."""
    return sitter if isinstance(sitter, Exception) else interrupted()


def _frames(item: Item) -> int:
    return len(item) if isinstance(item, DrivingFaces) else len(item[0].motion)


def _make(
    config: PortraitConfig, weights: WeightsConfig, runtime: RuntimeConfig
) -> PortraitModel[Any]:
    """Return the model of a variant, on its device.

    Raises:
        NotReady: the device is not there.
        WeightsError: a checkpoint is absent or damaged.
    """
    device = choose_device(config.device, "portrait.device")
    match config.variant:
        case "puppet":
            return Puppet(device=device)
        case "liveportrait":
            nets = load_nets(lambda of: tensors(of, config.weights, weights), device, runtime)
            licence = licence_of("motion_extractor", config.weights)
            landmarks = find_landmarks(landmark_file(config.weights, weights))
            return LivePortrait(nets, config.weights, licence, landmarks)
