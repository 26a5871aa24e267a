"""Settings of the HTTP door."""

from pathlib import Path

from pydantic import Field

from app.api.keys import KeyConfig
from app.strict import Settings


class ApiConfig(Settings):
    """Limits that hold before any media is looked at."""

    max_upload_bytes: int = Field(default=25 * 1024 * 1024, ge=1024)
    """Bytes of a whole request body, counted while they arrive."""

    upload_idle_s: float = Field(default=10.0, gt=0)
    """Longest wait for the next part of a request body, in seconds."""

    upload_s: float = Field(default=120.0, gt=0)
    """Longest time that a whole request body may take to arrive, in seconds."""

    keys: tuple[KeyConfig, ...] = Field(default=(), strict=False)
    """API keys by their hashes, from `python -m app.api key NAME`; without any, only requests
    from this machine are answered, and in Serve's HAProxy mode none."""

    keys_file: Path | None = Field(default=None, strict=False)
    """A YAML file with more entries such as those of `api.keys`, such as a mounted secret; read
    again when it changes. Absent or damaged, it lets nobody in."""
