"""What a server did while it was under load: its own metrics, and the CPU it took."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import httpx
import psutil

from app.bench.exported import Export
from app.bench.local_server import CpuTimes, cpu_by_role, cpu_times
from app.errors import NotReady
from app.observability import metrics

SAMPLE_EVERY_S = 5.0
SETTLE_S = 1.0
"""After the last answer: what a request leaves running counts, too."""

MODELS = ("face", "portrait", "lips")


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """One model, over all its replicas; None where the server does not export it.

    Attributes:
        frames_per_run: mean frames that went through the model together.
        calls_per_run: mean calls that made them; exact, other means estimated by Ray's export.
        fill: mean frames of a run, of those of a full one.
        wait_p50_s: of calls, until their run began.
        wait_p95_s: the same.
        live_wait_p95_s: the same, of live calls.
        run_mean_s: of one run, wall clock; exact.
        run_p95_s: the same.
        busy: share of the time in which a replica's model ran, summed over the replicas; exact.
    """

    frames_per_run: float | None = None
    calls_per_run: float | None = None
    fill: float | None = None
    wait_p50_s: float | None = None
    wait_p95_s: float | None = None
    live_wait_p95_s: float | None = None
    run_mean_s: float | None = None
    run_p95_s: float | None = None
    busy: float | None = None


@dataclass(slots=True)
class ServerFigures:
    """A server during one level; None, or empty, where nothing says it.

    Attributes:
        cpu_s: of all its processes, where it runs on this machine.
        cpu_s_by_role: the same, most first.
        client_cpu_s: of this process, on the same cores if the server is here.
        frames: encoded.
        late_frames: as the server counts them.
        requests: finished ones by their outcome.
        stages_s: wall-clock seconds of the stages, of all sessions; estimated by Ray's export.
        models: by role.
        gpu_busy: mean share of the time in which the GPUs computed.
        gpu_memory_bytes: most that was in use on all GPUs together.
        gpus: how many the server has.
    """

    cpu_s: float | None = None
    cpu_s_by_role: dict[str, float] = field(default_factory=dict)
    client_cpu_s: float = 0.0
    frames: float | None = None
    late_frames: float | None = None
    requests: dict[str, float] = field(default_factory=dict)
    stages_s: dict[str, float] = field(default_factory=dict)
    models: dict[str, ModelFigures] = field(default_factory=dict)
    gpu_busy: float | None = None
    gpu_memory_bytes: float | None = None
    gpus: int = 0


class ServerWatch:
    """Reads a server before, during and after each level.

    Args:
        client: with the server's address and key.
        processes: of the server, where it runs on this machine.
        export_s: how long it takes until `/metrics` shows what has happened.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        processes: Callable[[], list[psutil.Process]],
        export_s: float,
    ) -> None:
        self._client, self._processes, self._export_s = client, processes, export_s
        self._before: Export | None = None
        self._gauges: list[Export] = []

    def forget(self) -> None:
        """Note that something was asked between two levels, which is not to be counted."""
        self._before = None

    @asynccontextmanager
    async def level(self, figures: ServerFigures) -> AsyncIterator[None]:
        """Watch what happens within, and fill in the figures after it."""
        if self._before is None:
            await asyncio.sleep(self._export_s)
            self._before = await self._export()
        started_s, self._gauges = asyncio.get_running_loop().time(), []
        cpu, client_cpu_s = await self._cpu(), _own_cpu_s()
        sampling = asyncio.create_task(self._sample())
        try:
            yield
        finally:
            sampling.cancel()
            await asyncio.gather(sampling, return_exceptions=True)
        seconds = asyncio.get_running_loop().time() - started_s
        figures.client_cpu_s = _own_cpu_s() - client_cpu_s
        await asyncio.sleep(SETTLE_S)
        if cpu:
            figures.cpu_s_by_role = cpu_by_role(cpu, await self._cpu())
            figures.cpu_s = sum(figures.cpu_s_by_role.values())
        await asyncio.sleep(max(0.0, self._export_s - SETTLE_S))
        after = await self._export()
        fill_in(figures, self._before, after, seconds)
        fill_in_gpus(figures, self._gauges)
        self._before = after

    async def _cpu(self) -> CpuTimes:
        return await asyncio.to_thread(lambda: cpu_times(self._processes()))

    async def _sample(self) -> None:
        while True:
            await asyncio.sleep(SAMPLE_EVERY_S)
            # A gauge that is missed once is no reason to end a run.
            with suppress(httpx.HTTPError, NotReady):
                self._gauges.append(await self._export())

    async def _export(self) -> Export:
        """Return the metrics, none where the server has no such route.

        Raises:
            NotReady: the server refuses them.
        """
        answer = await self._client.get("/metrics")
        if answer.status_code in (401, 403):
            raise NotReady("The server asks for a key.", "Pass one with --key.")
        return Export(answer.text if answer.status_code == 200 else "")


def fill_in(figures: ServerFigures, before: Export, after: Export, seconds: float) -> None:
    """Fill in what counters and histograms say of the `seconds` between two exports."""
    figures.frames = after.since(before, metrics.FRAMES)
    figures.late_frames = after.since(before, metrics.LATE_FRAMES)
    figures.requests = {
        outcome: more
        for outcome in after.label_values(metrics.REQUESTS, None, "outcome")
        if (more := after.since(before, metrics.REQUESTS, outcome=outcome))
    }
    figures.stages_s = {
        stage: spent_s
        for stage in after.label_values(metrics.STAGE, "_sum", "stage")
        if (spent_s := after.since(before, metrics.STAGE, "_sum", stage=stage))
    }
    figures.models = {model: _model(model, before, after, seconds) for model in MODELS}


def _model(model: str, before: Export, after: Export, seconds: float) -> ModelFigures:
    ran_s = after.since(before, metrics.RUNNING, model=model)
    runs = after.since(before, metrics.RUN, "_count", model=model)
    return ModelFigures(
        frames_per_run=after.mean_since(before, metrics.BATCH_FRAMES, model=model),
        calls_per_run=after.mean_since(before, metrics.BATCH_CALLS, model=model),
        fill=after.mean_since(before, metrics.BATCH_FILL, model=model),
        wait_p50_s=after.quantile_since(before, metrics.QUEUE_WAIT, 0.50, model=model),
        wait_p95_s=after.quantile_since(before, metrics.QUEUE_WAIT, 0.95, model=model),
        live_wait_p95_s=after.quantile_since(
            before, metrics.QUEUE_WAIT, 0.95, model=model, pace="live"
        ),
        run_mean_s=ran_s / runs if ran_s is not None and runs else None,
        run_p95_s=after.quantile_since(before, metrics.RUN, 0.95, model=model),
        busy=ran_s / seconds if ran_s is not None else None,
    )


def fill_in_gpus(figures: ServerFigures, samples: list[Export]) -> None:
    """Fill in what gauges said during a level."""
    busy = [list(_by_gpu(sample, metrics.GPU_BUSY).values()) for sample in samples]
    memory = [list(_by_gpu(sample, metrics.GPU_MEMORY).values()) for sample in samples]
    shares = [share for shares in busy for share in shares]
    figures.gpu_busy = sum(shares) / len(shares) if shares else None
    figures.gpu_memory_bytes = max((sum(used) for used in memory if used), default=None)
    figures.gpus = max((len(used) for used in memory), default=0)


def _by_gpu(sample: Export, gauge: metrics.Metric) -> dict[str, float]:
    """Return a gauge of each GPU once, though every replica on it reports it."""
    found: dict[str, float] = {}
    for labels, value in sample.values(gauge).items():
        gpu = dict(labels).get("gpu", "")
        found[gpu] = max(value, found.get(gpu, 0.0))
    return found


def _own_cpu_s() -> float:
    times = os.times()
    return times.user + times.system
