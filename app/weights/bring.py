"""Takes weight files that lie on this machine into the store."""

import shutil
from pathlib import Path

from app.errors import WeightsError
from app.weights.digest import sha256_of
from app.weights.replacing import replacing
from app.weights.store import WeightStore
from app.weights.tensor_file import Source
from app.weights.weight_file import WeightFile, WheelMember


def importable(store: WeightStore) -> dict[str, WeightFile]:
    """Return the files that a user may bring, by the name to bring them under."""
    files = (file for file in store.files() if not isinstance(file.origin, WheelMember))
    return {file.stem: file for file in files}


def bring(store: WeightStore, name: str, path: Path) -> tuple[WeightFile, str]:
    """Store a file that the user has; return which one it is, and a sentence on how it was known.

    A checkpoint of unknown digest is taken if its keys and shapes are those of the network, since
    it may be the user's own.

    Args:
        store: where it goes.
        name: one of `importable`.
        path: the file; it is only read.

    Raises:
        WeightsError: no such name, an unreadable file, a file known to be another one, no
            checkpoint of that network, or one that holds code.
    """
    files = importable(store)
    if name not in files:
        names = ", ".join(files)
        raise WeightsError(f"There is nothing named {name!r} to import.", f"Names: {names}.")
    file = files[name]
    try:
        digest = sha256_of(path)
    except OSError as error:
        raise WeightsError(f"{path.name} cannot be read: {error.strerror}.") from error
    _refuse_another(store, file, digest)
    if not file.checkpoints:
        _copy(store, file, path)
    else:
        store_checkpoints(store, file, path, Source(path.name, digest))
    if digest == file.sha256:
        return file, f"recognised as the published file (sha256 {digest})"
    return file, f"accepted by its keys and shapes; its sha256 {digest} is not known here"


def store_checkpoints(store: WeightStore, file: WeightFile, path: Path, source: Source) -> None:
    """Convert a published file, and store every checkpoint that it holds.

    Raises:
        WeightsError: it does not hold them, or they cannot be written.
    """
    # Here, because it loads torch, which the other commands do without.
    from app.weights.convert import convert

    for checkpoint, tensors in convert(path, file).items():
        store.save_checkpoint(file, checkpoint, tensors, source)


def _refuse_another(store: WeightStore, file: WeightFile, digest: str) -> None:
    """Raise if a digest is known to be that of another file, whose keys might be the same."""
    for other in store.files():
        if other != file and other.sha256 == digest:
            raise WeightsError(
                f"This is the published {other.stem}, not {file.stem}.", f"Run: {other.remedy}"
            )


def _copy(store: WeightStore, file: WeightFile, path: Path) -> None:
    """Store a file that is kept as it is, if it is the published one."""
    target = store.folder / file.group / f"{file.stem}.import"
    try:
        with replacing(target) as written:
            shutil.copyfile(path, written)
    except OSError as error:
        raise WeightsError(
            f"Weight file {file.name} could not be written: {error.strerror or error}.",
            "Choose a folder that you may write to, and that has room, with --folder.",
        ) from error
    try:
        store.adopt(file.name, target)
    finally:
        target.unlink(missing_ok=True)
