"""Published checkpoints, which are pickles, to plain arrays; the only module here that uses torch.

Only tensors are ever unpickled: anything else that a pickle asks for is refused before it runs.
"""

import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

from app.errors import WeightsError
from app.weights.difference import difference
from app.weights.layout import Layout, TensorLayout, layout
from app.weights.weight_file import Checkpoint, WeightFile

MOST_NAMED = 8
"""Keys that an error names of each kind of difference."""


def convert(path: Path, file: WeightFile) -> dict[Checkpoint, dict[str, NDArray[Any]]]:
    """Return the checkpoints that a published file holds, each by official key without prefix.

    Args:
        path: the published file.
        file: which one it is.

    Raises:
        WeightsError: no checkpoint, one that holds code, or keys or shapes of another network.
    """
    entries = _unpickle(path)
    return {
        checkpoint: _tensors(entries, layout(checkpoint.network), path.name)
        for checkpoint in file.checkpoints
    }


def _unpickle(path: Path) -> Mapping[str, Any]:
    """Return the top of a file that torch saved."""
    try:
        # Files of torch before 1.6 are bare pickles, which cannot be mapped.
        content = torch.load(
            path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
        )
    except pickle.UnpicklingError as error:
        raise _refused(path, error) from error
    except OSError as error:
        raise WeightsError(f"{path.name} cannot be read: {error.strerror or error}.") from error
    except Exception as error:  # Whatever torch's reader trips over, the file is no checkpoint.
        raise _no_checkpoint(path) from error
    if not isinstance(content, dict):
        raise _no_checkpoint(path)
    return content


def _refused(path: Path, error: pickle.UnpicklingError) -> WeightsError:
    asked = re.search(r"GLOBAL ([\w.]+)", str(error))
    if not asked:
        return _no_checkpoint(path)
    return WeightsError(
        f"{path.name} asks to run {asked[1]}; only tensors are read, and nothing of it was run.",
        "Take the file that its authors publish, and trust no other file of that source.",
    )


def _no_checkpoint(path: Path) -> WeightsError:
    return WeightsError(
        f"{path.name} is not a checkpoint that torch saved.",
        "Was the download cut, or a web page saved in its place?",
    )


def _tensors(entries: Mapping[str, Any], wanted: Layout, name: str) -> dict[str, NDArray[Any]]:
    """Return the tensors of one network in the layout's order."""
    for key in wanted.container:
        # A bare state is taken too; what is wrong with anything else, the difference says.
        inner = entries.get(key, entries)
        entries = inner if isinstance(inner, dict) else {}
    tensors: dict[str, torch.Tensor] = {}
    for key, value in entries.items():
        if not isinstance(value, torch.Tensor) or not _is_plain(value):
            continue
        # DataParallel's prefix, which the published loader removes wherever it stands.
        plain = str(key).replace("module.", "")
        if plain in tensors:
            raise WeightsError(f"{name} holds {plain} twice, with and without its prefix.")
        tensors[plain] = value.detach()
    found = {key: _layout(tensor) for key, tensor in tensors.items()}
    if differs := difference(found, wanted):
        told = "; ".join(differs.lines(MOST_NAMED))
        raise WeightsError(f"{name} is no checkpoint of {wanted.network}. {told}.")
    return {key: _array(tensors[key]) for key in wanted.tensors}


def _is_plain(tensor: torch.Tensor) -> bool:
    """Return whether a tensor holds its numbers one by one; a state has no others."""
    return tensor.layout == torch.strided and tensor.device.type == "cpu"


def _layout(tensor: torch.Tensor) -> TensorLayout:
    """Return what a tensor is once converted; half precision is kept as float32."""
    dtype = torch.float32 if tensor.is_floating_point() else tensor.dtype
    return TensorLayout(str(dtype).removeprefix("torch."), tuple(tensor.shape))


def _array(tensor: torch.Tensor) -> NDArray[Any]:
    values = tensor.float() if tensor.is_floating_point() else tensor
    array: NDArray[Any] = values.contiguous().numpy()
    return array
