"""Which engine runs the nets, and where what was measured is kept."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from app.strict import Settings

Backend = Literal["auto", "eager", "compiled"]


class RuntimeConfig(Settings):
    """Engines."""

    backend: Backend = "auto"
    """Which engine runs a net on a GPU: `auto` measures those that can and takes the fastest that
    is exact enough; a name insists, and fails readiness where it does not hold. On a CPU, and for
    the embedded models, nets run eagerly."""

    max_batch_size: int = Field(default=32, ge=1, le=32)
    """Frames of the largest bucket that engines are made for: 1, 4, 8, 16 or 32."""

    min_snr_db: float = Field(default=40.0, ge=0)
    """Least signal to noise of an engine's output against eager float32, dB."""

    cache: Path | None = Field(default=None, strict=False)
    """Where measurements and compiled kernels are kept; absent, `digital-human/engines` in the
    user's cache folder."""
