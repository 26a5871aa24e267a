"""The LipSync deployment: mouths that follow the speech."""

import asyncio
import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

import numpy as np
from numpy.typing import NDArray
from ray import serve

from app.errors import NotReady, WeightsError
from app.observability.config import TracingConfig
from app.observability.origin import NOBODY, Origin
from app.runtime.buckets import bucket_up_to
from app.runtime.config import RuntimeConfig
from app.serving.announcement import announce
from app.serving.batching import CONCURRENT_BATCHES, GROUP_FRAMES, Slot, Ticket
from app.serving.checkpoints import licence_of, tensors
from app.serving.gpus import keep_to_share, warn_of_idle_gpus
from app.serving.logs import ToServe
from app.serving.meters import Meters, SlotMeter
from app.serving.run_traces import RunTraces
from app.serving.speed import Pace
from app.serving.tracing import tracer_of
from app.values import LipGroup, ModelCard
from app.variants.config import LipsConfig
from app.variants.device import choose_device, memory_errors
from app.variants.lips import LipModel
from app.variants.viseme import Viseme
from app.variants.wav2lip.model import Wav2LipModel, wav2lip_engine
from app.weights.config import WeightsConfig

MAX_CALLS = 4
"""Calls of 8 frames that make a full run; shorter ones are joined up to as many frames."""


class LipSync:
    """Repaints mouth crops after the speech; keeps no state of a session."""

    def __init__(
        self,
        config: LipsConfig,
        weights: WeightsConfig,
        runtime: RuntimeConfig | None = None,
        tracing: TracingConfig | None = None,
    ) -> None:
        ToServe.attach()
        self._config = config
        self._runtime = runtime or RuntimeConfig()
        self._weights = weights
        self._model: LipModel | None = None
        self._loading = threading.Lock()
        bucket = partial(bucket_up_to, self._runtime.max_batch_size)
        traces = RunTraces(tracer_of(tracing, "LipSync"), "lips", self._card, bucket)
        full = MAX_CALLS * GROUP_FRAMES
        self._meter = SlotMeter(Meters(), "lips", full)
        work = self._meter.timed(self._paint)
        self._slot = Slot(work, MAX_CALLS, "lips", len, self._meter, traces.ran, max_frames=full)
        # Told by `ready`; raised here, Ray would try again and give up.
        with suppress(NotReady, WeightsError):
            self._load()

    async def ready(self) -> ModelCard:
        """Return what serves this role.

        Raises:
            NotReady: the device that the settings insist on is not there.
            WeightsError: a published variant's checkpoint is absent or damaged.
        """
        if self._model is None:
            await asyncio.to_thread(self._load)
        return self._load().card

    async def pace(self) -> Pace | None:
        """Return what this replica can do; nothing before its first run."""
        return self._slot.pace()

    def _load(self) -> LipModel:
        """Return the model, made once although a probe and the slot may ask for it at a time."""
        with self._loading:
            if self._model is None:
                keep_to_share()
                self._model = _make(self._config, self._weights, self._runtime)
                announce("LipSync", self._model.card)
                self._meter.serves(self._model.card)
                warn_of_idle_gpus("LipSync", self._config.device, self._model.card.device)
            return self._model

    def _card(self) -> ModelCard | None:
        return self._model.card if self._model else None

    async def paint(
        self, group: LipGroup, origin: Origin = NOBODY
    ) -> NDArray[np.uint8] | Exception:
        """Return the repainted crops of a group."""
        return await self._slot.submit(group, self.paint_batch, origin)

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

    def _paint(self, groups: Sequence[LipGroup]) -> list[NDArray[np.uint8]]:
        """Run the model; on the slot's thread."""
        with memory_errors():
            return self._load().paint(groups)


def _make(config: LipsConfig, weights: WeightsConfig, runtime: RuntimeConfig) -> LipModel:
    """Return the model of a variant, on its device."""
    device = choose_device(config.device, "lips.device")
    match config.variant:
        case "viseme":
            return Viseme(device=device, runtime=runtime)
        case "wav2lip":
            state = tensors("wav2lip", config.weights, weights)
            engine = wav2lip_engine(state, device, runtime)
            return Wav2LipModel(engine, config.weights, licence_of("wav2lip", config.weights))
