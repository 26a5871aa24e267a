"""Settings of traces."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from app.strict import Settings


class TracingConfig(Settings):
    """Whether requests are traced, and where their spans go. Logs and metrics need none of it."""

    exporter: Literal["none", "otlp", "file"] = "none"
    """Where spans go: `otlp` to a collector by HTTP, `file` as lines of JSON into `folder`; `none`
    makes none. Needs `pip install -e ".[tracing]"`."""

    endpoint: str = Field(default="http://127.0.0.1:4318/v1/traces", pattern=r"^https?://[^\s]+$")
    """The collector's address for traces. Headers that it wants, such as a key, come from the
    environment: `OTEL_EXPORTER_OTLP_HEADERS`."""

    folder: Path | None = Field(default=None, strict=False)
    """Where `file` writes, one file for each replica; needed for it. Files grow without bound."""

    sampling_ratio: float = Field(default=1.0, ge=0, le=1)
    """Share of the requests that are traced. A request that comes with a W3C `traceparent` follows
    what that says."""

    @model_validator(mode="after")
    def _check_folder(self) -> Self:
        if self.exporter == "file" and self.folder is None:
            raise ValueError("tracing.exporter is `file`: tracing.folder says where")
        return self
