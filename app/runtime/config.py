"""Which engine runs the nets, and where what was measured is kept."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from app.strict import Settings

Backend = Literal["auto", "eager", "compiled", "tensorrt", "torch2trt", "int8", "fp8"]


class RuntimeConfig(Settings):
    """Engines."""

    backend: Backend = "auto"
    """Which engine runs the published nets: `auto` takes the fastest that is exact enough, on a GPU
    by measuring those that are installed, on a CPU among what `python -m app.runtime build` has
    measured; a name insists, for the nets that have it on that device, and fails readiness where
    it does not hold. Embedded nets run eagerly."""

    fp16_mode: bool = True
    """Whether engines on a GPU may compute in float16; without, `compiled` is not used."""

    max_batch_size: int = Field(default=32, ge=1, le=32)
    """Frames of the largest bucket that engines are made for: 1, 4, 8, 16 or 32."""

    max_workspace_size: int = Field(default=1 << 30, ge=0)
    """Bytes that a layer of TensorRT's may use beside its tensors."""

    min_snr_db: float = Field(default=40.0, ge=0)
    """Least signal to noise of an engine's output against eager float32, dB."""

    min_int8_snr_db: float = Field(default=20.0, ge=0)
    """The same for an engine in 8 bits."""

    cache: Path | None = Field(default=None, strict=False)
    """Where engines, measurements and compiled kernels are kept; absent, `digital-human/engines`
    in the user's cache folder."""
