"""A GPU's memory and utilisation, as NVIDIA's management library tells them."""

import logging
from typing import Any

from app.observability.metrics import GPU_BUSY, GPU_MEMORY, GPU_MEMORY_SIZE, Metric
from app.variants.device import gpu_uuid

logger = logging.getLogger("ray.serve")


class GpuMeter:
    """Reads the GPU that this process computes on.

    Args:
        library: the module `pynvml`, initialised, or what behaves like it.
        uuid: of the GPU: torch numbers those that it is shown, and NVML all of the machine.
    """

    def __init__(self, library: Any, uuid: str) -> None:  # noqa: ANN401 - it has no types
        self._library = library
        self._gpu = library.nvmlDeviceGetHandleByUUID(uuid.encode())
        self._labels = {"gpu": str(library.nvmlDeviceGetIndex(self._gpu))}

    @classmethod
    def find(cls) -> "GpuMeter | None":
        """Return a meter of torch's GPU; None, and a warning, where NVML is not to be had."""
        try:
            import pynvml

            pynvml.nvmlInit()
            return cls(pynvml, gpu_uuid())
        except Exception as error:  # differs by driver, and nobody's video depends on it
            logger.warning("NVML tells nothing of this GPU: %s", error)
            return None

    def read(self) -> list[tuple[Metric, float, dict[str, str]]]:
        """Return memory, its size and utilisation, with the label `gpu`, NVML's number of it."""
        memory = self._library.nvmlDeviceGetMemoryInfo(self._gpu)
        rates = self._library.nvmlDeviceGetUtilizationRates(self._gpu)
        return [
            (GPU_MEMORY, memory.used, self._labels),
            (GPU_MEMORY_SIZE, memory.total, self._labels),
            (GPU_BUSY, rates.gpu / 100, self._labels),
        ]
