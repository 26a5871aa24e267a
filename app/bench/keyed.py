"""A copy of a Serve configuration with an API key: behind HAProxy, nobody is let in without."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from app.api.keys import key_hash, make_key

MAX_SESSIONS = 256
"""So many does nobody ask for at once: the replicas' limits hold, not the key's."""


@contextmanager
def keyed(config: Path, **settings: dict[str, object]) -> Iterator[tuple[Path, str]]:
    """Write a configuration with an API key, which HAProxy mode wants; yield it and the key.

    Args:
        config: a Serve configuration.
        settings: more of the application's arguments, by section; the rest of a section stays.
    """
    key = make_key()
    entry = {"name": "bench", "sha256": key_hash(key), "max_sessions": MAX_SESSIONS}
    document = yaml.safe_load(config.read_text())
    (application,) = document["applications"]
    arguments = application["args"]
    changes = settings | {"api": settings.get("api", {}) | {"keys": [entry]}}
    changed = {name: arguments.get(name, {}) | section for name, section in changes.items()}
    application["args"] = arguments | changed
    with tempfile.TemporaryDirectory(prefix="dh-bench-") as folder:
        path = Path(folder) / config.name
        path.write_text(yaml.safe_dump(document))
        yield path, key
