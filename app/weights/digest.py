"""Digests of files and of tensors, as lower-case hex."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, read in pieces.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_of_tensors(tensors: Mapping[str, NDArray[Any]]) -> str:
    """Return the SHA-256 over the bytes of all tensors, little endian, keys sorted."""
    total = hashlib.sha256()
    for key in sorted(tensors):
        total.update(np.ascontiguousarray(tensors[key]).data)
    return total.hexdigest()
