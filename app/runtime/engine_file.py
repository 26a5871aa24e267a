"""Engine files: a built engine behind the key that it was built for, refused for any other."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.runtime.precision import Precision

_MAGIC = b"digital-human engine 1\n"


class EngineRefused(ValueError):
    """An engine's file that is damaged, or was built for something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineKey:
    """What an engine depends on; two engines of one key are interchangeable.

    Attributes:
        net: its name.
        weights: digest of the net's tensors, of `digest.weights_digest`.
        inputs: name, shape without the batch, and type of each input, in order.
        buckets: batch sizes, rising.
        precision: of the arithmetic.
        workspace: most bytes that the engine may use beside its tensors.
        gpu: name and compute capability, such as "NVIDIA H200 9.0".
        library: name and version of what built it, such as "tensorrt 10.13.3".
        graph: version of how graphs are made here; raised when they change.
    """

    net: str
    weights: str
    inputs: tuple[str, ...]
    buckets: tuple[int, ...]
    precision: Precision
    workspace: int
    gpu: str
    library: str
    graph: int = 1

    def fields(self) -> dict[str, Any]:
        """Return the key as JSON keeps it."""
        fields: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return fields

    def file_name(self) -> str:
        """Return a name that no other key has, in practice."""
        text = json.dumps(self.fields(), sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        return f"{self.net}-{self.precision}-{digest}.engine"


def write_engine(path: Path, key: EngineKey, plan: bytes) -> None:
    """Write an engine in one step, so that readers see all of it or nothing."""
    header = {"key": key.fields(), "sha256": hashlib.sha256(plan).hexdigest()}
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_name(f"{path.name}.new")
    written.write_bytes(_MAGIC + json.dumps(header).encode() + b"\n" + plan)
    written.replace(path)


def read_engine(path: Path, key: EngineKey) -> bytes:
    """Return the engine in a file.

    Raises:
        EngineRefused: the file is no engine's, damaged, or of another key; says what differs.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise EngineRefused(f"{path.name} is no engine file of this version.")
        line, plan = file.readline(), file.read()
    try:
        header = json.loads(line)
        found, digest = dict(header["key"]), header["sha256"]
    except (ValueError, TypeError, KeyError) as error:
        raise EngineRefused(f"{path.name} is damaged.") from error
    wanted = key.fields()
    differing = sorted(name for name in {*found, *wanted} if found.get(name) != wanted.get(name))
    if differing:
        said = "; ".join(f"{each}: {found.get(each)}, not {wanted.get(each)}" for each in differing)
        raise EngineRefused(f"{path.name} was built for something else ({said}).")
    if hashlib.sha256(plan).hexdigest() != digest:
        raise EngineRefused(f"{path.name} is damaged.")
    return plan
