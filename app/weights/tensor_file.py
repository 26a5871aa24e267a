"""A safetensors file of one network's weights, which names its source and proves itself by digest.

Such a file holds no code, unlike the pickles that checkpoints are published as.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from app.weights.difference import Difference, difference
from app.weights.digest import sha256_of_tensors
from app.weights.layout import TensorLayout, layout
from app.weights.replacing import replacing

_DTYPES: Final = {"F32": "float32", "I64": "int64"}
_DIGEST: Final = "tensors_sha256"


@dataclass(frozen=True, slots=True)
class Source:
    """The published file that weights were converted from.

    Attributes:
        file: its name.
        sha256: its hex digest.
    """

    file: str
    sha256: str


class Damaged(Exception):
    """The file is not what was written; the message says in a word or two what it is."""


@dataclass(frozen=True, slots=True)
class TensorFile:
    """The weights of one network on disk.

    Attributes:
        path: of the safetensors file.
        network: whose layout it must have.
    """

    path: Path
    network: str

    def write(self, tensors: Mapping[str, NDArray[Any]], source: Source) -> None:
        """Write C-contiguous tensors by official key, in one step.

        Raises:
            OSError: it cannot be written.
        """
        metadata = {
            "network": self.network,
            "source_file": source.file,
            "source_sha256": source.sha256,
            _DIGEST: sha256_of_tensors(tensors),
        }
        with replacing(self.path) as written:
            try:
                save_file(dict(tensors), written, metadata)
            except SafetensorError as error:
                raise OSError(str(error)) from error

    def difference(self) -> Difference:
        """Return how keys, types and shapes differ from the layout, from the header alone.

        Raises:
            OSError: the file is absent or unreadable.
            Damaged: it is no safetensors file.
        """
        return difference(self._header()[0], layout(self.network))

    def source(self) -> Source:
        """Return what the file was converted from; errors as `difference`."""
        metadata = self._header()[1]
        return Source(metadata.get("source_file", ""), metadata.get("source_sha256", ""))

    def read(self) -> dict[str, NDArray[Any]]:
        """Return all tensors, by official key in official order, after checking their digest.

        Raises:
            OSError: the file is absent or unreadable.
            Damaged: its layout or its digest is another.
        """
        if self.difference():
            raise Damaged("of another layout")
        with safe_open(self.path, framework="numpy") as file:
            tensors = {key: file.get_tensor(key) for key in layout(self.network).tensors}
        if self._header()[1].get(_DIGEST) != sha256_of_tensors(tensors):
            raise Damaged("damaged")
        return tensors

    def problem(self) -> str:
        """Return "", "absent", "unreadable", "damaged" or "of another layout"."""
        try:
            self.read()
        except (FileNotFoundError, NotADirectoryError):
            return "absent"
        except OSError:
            return "unreadable"
        except Damaged as damage:
            return str(damage)
        return ""

    def _header(self) -> tuple[dict[str, TensorLayout], dict[str, str]]:
        """Return types and shapes of all tensors, and the metadata."""
        # safe_open calls everything that it cannot open a missing file.
        with self.path.open("rb"):
            pass
        try:
            with safe_open(self.path, framework="numpy") as file:
                slices = {key: file.get_slice(key) for key in file.keys()}  # noqa: SIM118
                metadata = file.metadata() or {}
        except SafetensorError as error:
            raise Damaged("damaged") from error
        tensors = {
            key: TensorLayout(_dtype(part.get_dtype()), tuple(part.get_shape()))
            for key, part in slices.items()
        }
        return tensors, metadata


def _dtype(name: str) -> str:
    return _DTYPES.get(name, name)
