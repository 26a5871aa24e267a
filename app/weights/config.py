"""What can be set about the weight store."""

from pathlib import Path

from pydantic import Field

from app.strict import Settings


class WeightsConfig(Settings):
    """Where weight files are kept."""

    folder: Path | None = Field(default=None, strict=False)
    """The store; absent, `digital-human/weights` in the user's cache folder."""
