"""Settings of the HTTP door."""

from pydantic import Field

from app.api.keys import KeyConfig
from app.strict import Settings


class ApiConfig(Settings):
    """Limits that hold before any media is looked at."""

    max_upload_bytes: int = Field(default=25 * 1024 * 1024, ge=1024)
    """Bytes of a whole request body, counted while they arrive."""

    keys: tuple[KeyConfig, ...] = Field(default=(), strict=False)
    """API keys by their hashes, from `python -m app.api key NAME`; without any, only requests
    from this machine are answered."""
