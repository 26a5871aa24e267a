"""What can be set about the weight store."""

from pathlib import Path

from app.strict import Strict


class WeightsConfig(Strict):
    """Where weight files are kept."""

    folder: Path | None = None
    """The store; absent, `digital-human/weights` in the user's cache folder."""
