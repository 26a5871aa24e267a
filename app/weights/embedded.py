"""Weights that this product ships: safetensors files in the package, proved by their digest."""

from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file

from app.errors import WeightsError
from app.weights.digest import sha256_of_tensors
from app.weights.replacing import replacing

_DIGEST = "tensors_sha256"


def embedded_tensors(package: str, name: str) -> dict[str, NDArray[Any]]:
    """Return the tensors of a file in a package.

    Args:
        package: such as "app.models.viseme".
        name: of the file in it.

    Raises:
        WeightsError: it is absent or not what was written.
    """
    try:
        with as_file(files(package).joinpath(name)) as path, safe_open(path, "numpy") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            digest = (file.metadata() or {}).get(_DIGEST)
    except Exception as error:
        raise _broken(name) from error
    if digest != sha256_of_tensors(tensors):
        raise _broken(name)
    return tensors


def write_embedded(path: Path, tensors: dict[str, NDArray[Any]], metadata: dict[str, str]) -> None:
    """Write a file that `embedded_tensors` reads, in one step.

    Args:
        path: of the file.
        tensors: C-contiguous.
        metadata: what else is to be known of them.
    """
    proved = {**metadata, _DIGEST: sha256_of_tensors(tensors)}
    with replacing(path) as written:
        save_file(tensors, written, proved)


def _broken(name: str) -> WeightsError:
    return WeightsError(
        f"The file {name} of this package is absent or damaged.",
        "Install the package again: pip install --force-reinstall digital-human.",
    )
