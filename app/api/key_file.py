"""API keys in a file of their own, such as a secret that Kubernetes mounts and renews."""

import logging
from pathlib import Path

import yaml
from pydantic import Field, ValidationError

from app.api.keys import KeyConfig
from app.strict import Settings

logger = logging.getLogger(__name__)

Stamp = tuple[int, int, int]
"""What changes with a file: when it was written, its size, and which file it is."""


class _Keys(Settings):
    """What the file holds."""

    keys: tuple[KeyConfig, ...] = Field(default=(), strict=False)


class KeyFile:
    """The keys of a file, read again when it changes.

    A file that is absent or damaged has no keys; those of before it was are not kept, since what
    was damaged may be the entry that took one away.

    Args:
        path: YAML, a list of entries as `python -m app.api key NAME` prints them.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: Stamp | None = None
        self._keys: tuple[KeyConfig, ...] = ()

    def current(self) -> tuple[KeyConfig, ...]:
        """Return the keys that the file holds now."""
        stamp = self._now()
        if stamp is None or stamp != self._stamp:
            self._keys = self._read() if stamp else ()
            self._stamp = stamp
        return self._keys

    def _now(self) -> Stamp | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino

    def _read(self) -> tuple[KeyConfig, ...]:
        try:
            return _Keys.model_validate({"keys": yaml.safe_load(self._path.read_text())}).keys
        except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError):
            # What was read may be a secret of another kind: the log says only where.
            logger.error("%s holds no list of API keys: it lets nobody in.", self._path)
            return ()
