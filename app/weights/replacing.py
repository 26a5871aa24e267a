"""Writes a file in one step, so that readers see the old or the new and never a part."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Give a path beside the target to write to; on success, flush it and rename it there.

    Raises:
        OSError: the folder cannot be written to; whatever was written is removed.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    os.close(handle)
    written = Path(name)
    try:
        yield written
        place(written, target)
    except BaseException:
        written.unlink(missing_ok=True)
        raise


def place(written: Path, target: Path) -> None:
    """Flush a file to disk and rename it onto a target of the same folder."""
    with written.open("rb") as stream:
        os.fsync(stream.fileno())
    # mkstemp gives 0600; a store in a shared image is read by other users too.
    os.chmod(written, 0o644)
    os.replace(written, target)
